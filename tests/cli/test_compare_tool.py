"""tools/compare.py, run as a user runs it."""

import json
from argparse import Namespace
from pathlib import Path
from uuid import uuid4

import pytest
from ink import ink
from mmengine.config import Config
from run_command import run_command

from segkd_mm.cli import compare
from segkd_mm.results.runs.cells import Cell, Method, make_cells

REPO = Path(__file__).resolve().parents[2]
STUDENT = f'{REPO}/configs/student/mnv3s_slim_shapes.py'


def write_config(path: Path, more: str = '') -> None:
    loaders = 'train', 'val', 'test'
    few = 'num_workers=0, persistent_workers=False, dataset=dict(num_train=16, num_val=4)'
    path.write_text(
        f"_base_ = '{STUDENT}'\n"
        + ''.join(f'{loader}_dataloader = dict({few})\n' for loader in loaders)
        + 'train_cfg = dict(max_epochs=1, val_interval=1)\n'
        'default_hooks = dict(logger=dict(interval=1))\n'
        # mmengine keeps it, with its folder, by this name
        f'visualizer = dict(name={uuid4().hex!r})\n' + more
    )


@pytest.mark.slow
def test_one_method_comes_to_a_result_and_one_fails(script, in_process, shapes, tmp_path):
    write_config(tmp_path / 'plain.py')
    write_config(tmp_path / 'broken.py', "optim_wrapper = dict(optimizer=dict(type='Adamm'))\n")
    words = ['plain.py', 'broken.py', '--seeds', 5, '--cfg-options', f'data_root={shapes}']
    words = ['--results', 'results/shapes', *words, '--jobs', 1, '--name', 'both']
    done = script('tools/compare.py', *words, cwd=tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    assert '0 of 2 results are there.' in done.stdout
    log = 'work_dirs/compare/shapes/broken/5/compare.log'
    assert f'broken/5 failed: ProcessFailed: exit code 1; the end of {log}:' in done.stdout
    assert "no optimizer is registered as 'Adamm' (did you mean 'Adam" in done.stdout
    result = json.loads((tmp_path / 'results/shapes/plain/5.json').read_text())
    assert result['checkpoint'].endswith('plain/5/epoch_1.pth')
    assert result['training']['seed'] == result['seed'] == 5
    assert result['val_mIoU']['last'] == pytest.approx(result['metrics']['mIoU'], abs=0.006)
    assert result['iterations'] == 2
    assert result['teacher'] is None
    (row,) = json.loads((tmp_path / 'results/shapes/both.json').read_text())['table']
    assert (row['method'], row['seeds']) == ('plain', '1 seed')
    assert row['mIoU'] == result['metrics']['mIoU']
    assert 0.01 < ink(tmp_path / 'results/shapes/both.png') < 0.5


@pytest.fixture(scope='module')
def tool():
    return compare


def cells(results: Path, seeds: list[int]) -> list[Cell]:
    methods = [
        Method('kd/distilled.py', (), Config({'model': {'type': 'SegDistiller'}})),
        Method('student/plain.py', (), Config({'model': {'type': 'EncoderDecoder'}})),
    ]
    return make_cells(methods, seeds, results, results / 'work_dirs')


def test_what_is_to_be_run_is_said_with_the_time_it_takes(tool, tmp_path, capsys):
    plan = cells(tmp_path, [0, 3])
    tool.report_plan(plan, plan, jobs=1)
    assert capsys.readouterr().out.splitlines() == [
        'To run: distilled/0', 'To run: plain/0', 'To run: distilled/3', 'To run: plain/3',
    ]  # fmt: skip
    for cell, seconds in ((plan[0], 100), (plan[1], 60)):
        cell.result.parent.mkdir()
        cell.result.write_text(json.dumps({'train_seconds': seconds}))
    tool.report_plan(plan, plan[2:], jobs=2)
    assert 'About 0:01:20, ' in capsys.readouterr().out  # (100 + 60) / 2


@pytest.mark.parametrize(
    ('named', 'baseline'), [(None, 'plain'), ('elsewhere/distilled.py', 'distilled')]
)
def test_the_baseline_is_the_first_config_without_a_teacher_or_the_one_named(
    tool, tmp_path, named, baseline
):
    methods = [cell.method for cell in cells(tmp_path, [0])]
    assert tool.baseline_of(Namespace(baseline=named), methods) == baseline


def test_a_baseline_that_is_not_compared_is_an_error(tool, tmp_path):
    methods = [cell.method for cell in cells(tmp_path, [0])]
    with pytest.raises(ValueError, match=r'baseline other\.py is not among the configs'):
        tool.baseline_of(Namespace(baseline='other.py'), methods)


def test_what_learns_from_a_teacher_that_cannot_be_tested_is_not_trained(
    tool, tmp_path, monkeypatch
):
    def score(config, results):
        if config.model.type == 'SegDistiller':
            raise FileNotFoundError('no weights at t.pth')

    ran = []
    result = {'metrics': {'mIoU': 1.0}}
    monkeypatch.setattr(tool, 'test_teacher', score)
    monkeypatch.setattr(tool, 'run_cell', lambda cell, *_: ran.append(cell.name) or result)
    outcome = tool.run_missing(cells(tmp_path, [0, 1]), {}, jobs=1)
    assert ran == ['plain/0', 'plain/1']
    assert outcome.failed == {'The teacher of distilled': 'FileNotFoundError: no weights at t.pth'}


def test_a_check_runs_nothing_and_makes_the_table_of_what_there_is(
    tool, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    write_config(tmp_path / 'plain.py')
    result = {
        'config_hash': Method.load('plain.py').config_hash,
        'dataset': 'ShapesDataset',
        'images': 4,
        'metrics': {'mIoU': 50.0},
        'per_class': {'disc': 50.0},
        'train_seconds': 60,
    }
    (tmp_path / 'results/plain').mkdir(parents=True)
    (tmp_path / 'results/plain/0.json').write_text(json.dumps(result))
    monkeypatch.setattr(tool, 'run_missing', lambda *_: pytest.fail('something ran'))
    words = ['plain.py', '--seeds', '0', '1', '--results', 'results', '--check']
    assert run_command('compare', *words) == 0
    assert 'To run: plain/1' in capsys.readouterr().out
    (row,) = json.loads((tmp_path / 'results/leaderboard.json').read_text())['table']
    assert (row['method'], row['mIoU']) == ('plain', 50.0)
