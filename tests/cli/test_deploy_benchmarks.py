"""Benchmarks of what is deployed, on the smallest models and images."""

import json
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

BENCHMARKS = Path(__file__).parents[2] / 'benchmarks'


@pytest.fixture
def table(script, tmp_path, monkeypatch):
    """Run a benchmark; give the rows of its result."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))

    def run(name, *words):
        out = tmp_path / 'result.json'
        done = script(f'benchmarks/{name}.py', *words, '--size', 64, 64, '--out', out, cwd=tmp_path)
        assert done.returncode == 0, done.stderr[-2000:]
        return json.loads(out.read_text())['table']

    return run


def test_trunks_are_timed_as_they_train_and_fused(table):
    (row,) = table('fused_trunks', '--trunks', 'repghostnet_050', '--repeats', 2)
    assert row['parameters deployed'] < row['parameters trained']
    assert row['ratio'] == pytest.approx(row['ms trained'] / row['ms deployed'])
    assert row['difference'] < 1e-4


def test_a_student_and_a_peer_race_in_one_runtime(table):
    words = '--runtime', 'onnx', '--precisions', 'fp32', '--repeats', 2
    rows = table('race', *words, '--models', 'mnv3s_nano', 'Fast-SCNN')
    assert {row['model']: row['whose'] for row in rows} == {
        'mnv3s_nano': 'ours',
        'Fast-SCNN': 'peer',
    }
    times = [row['fp32 ms'] for row in rows]
    assert times == sorted(times) and times[0] > 0


def test_an_unknown_model_of_the_race_is_named(script, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    done = script('benchmarks/race.py', '--models', 'mnv3s_nona', '--out', tmp_path / 'a.json')
    assert done.returncode == 1
    assert "did you mean 'mnv3s_nano'" in done.stderr
