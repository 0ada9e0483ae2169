import importlib.util
import json
import subprocess
import sys

import pytest

from segkd_mm.config import config_dir

SCRIPT = config_dir().parent / 'benchmarks' / 'kd_step.py'


def measure(folder, *words):
    command = [sys.executable, str(SCRIPT), *map(str, words)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


@pytest.mark.slow
def test_distillations_are_measured_beside_the_plain_step_and_the_teacher(tmp_path):
    run = measure(tmp_path, 'kd/response_kd_shapes.py', '--size', 64, 64, '--batch', 2,
                  '--repeats', 1, '--out', 'cost.json')  # fmt: skip
    assert run.returncode == 0, run.stderr
    result = json.loads((tmp_path / 'cost.json').read_text())
    ratios, steps = result['ratios'], result['steps']
    assert set(ratios) == {'plain student', "teacher's forward", 'response_kd_shapes'}
    assert ratios['plain student'] == 1
    plain, kd = steps['plain student'], steps['response_kd_shapes']
    assert ratios['response_kd_shapes'] == pytest.approx(kd['ms'] / plain['ms'])
    (row,) = [row for row in result['table'] if row['ms of the terms alone']]
    assert row['step'] == 'response_kd_shapes'
    assert 0 < row['ms of the terms alone'] < kd['ms']
    assert row['MiB more'] == pytest.approx(kd['peak_mib'] - plain['peak_mib'])
    assert 'response_kd_shapes' in run.stdout


@pytest.mark.slow
def test_a_cached_teacher_is_measured_without_its_cache(script, tmp_path):
    script('kd/response_kd_cached_camvid.py', '--size', '64', '64', '--batch', '2', '--repeats',
           '1', '--out', 'cost.json')  # fmt: skip
    result = json.loads((tmp_path / 'cost.json').read_text())
    assert set(result['ratios']) == {'plain student', 'response_kd_cached_camvid'}
    (row,) = [row for row in result['table'] if row['ms of the terms alone']]
    assert row['step'] == 'response_kd_cached_camvid'


@pytest.mark.slow
def test_the_naive_step_is_held_against_the_best(script, tmp_path):
    script('kd/response_kd_shapes.py', '--naive', '--amp', '--size', '64', '64', '--batch', '2',
           '--repeats', '1', '--out', 'cost.json')  # fmt: skip
    result = json.loads((tmp_path / 'cost.json').read_text())
    ratios, steps = result['ratios'], result['steps']
    assert ratios['naive'] == pytest.approx(steps['naive']['ms'] / steps['plain student']['ms'])
    names = 'naive', 'response_kd_shapes', 'response_kd_shapes, --amp'
    assert set(ratios) == {*names, 'plain student', "teacher's forward", 'naive to best'}
    best = min(ratios[name] for name in names)
    assert ratios['naive to best'] == pytest.approx(ratios['naive'] / best)
    # Its terms have 256 times the cells.
    assert steps['naive']['terms_ms'] > steps['response_kd_shapes']['terms_ms']


def test_a_cached_teacher_alone_has_no_naive_step(script):
    with pytest.raises(ValueError, match='none of response_kd_cached_camvid has a teacher of type'):
        script('kd/response_kd_cached_camvid.py', '--naive')


@pytest.fixture
def script(monkeypatch, tmp_path):
    """A call of the script in this process, by its command line."""
    monkeypatch.syspath_prepend(SCRIPT.parent)
    spec = importlib.util.spec_from_file_location('kd_step', SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.chdir(tmp_path)

    def run(*words):
        monkeypatch.setattr(sys, 'argv', [str(SCRIPT), *words])
        module.main()

    return run


@pytest.mark.parametrize(
    ('configs', 'match'),
    [
        (['student/mnv3s_slim_shapes.py'], 'the model is EncoderDecoder, expected SegDistiller'),
        (['kd/response_kd_shapes.py', 'kd/response_kd_msrc_v2.py'], 'have different students'),
    ],
)
def test_what_cannot_be_compared_is_an_error(script, configs, match):
    with pytest.raises(ValueError, match=match):
        script(*configs)
