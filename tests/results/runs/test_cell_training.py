"""One cell, with made-up tools."""

import json
from pathlib import Path

import pytest
from fake_tools import FakeTools

from segkd_mm.results.runs.training import AlreadyRunning, _locked, run_cell, summarise_log
from segkd_mm.results.training_log import TrainingLog

TEACHER = {'mIoU': 58.0, 'file': 'teachers/0.json'}


def test_a_cell_is_trained_tested_once_and_put_on_record(cell):
    tools, one = FakeTools(), cell(seed=3, words=('data_root=/x',))
    run_cell(one, tools, TEACHER)
    train, test = (command[2:] for command in tools.commands)
    assert train == ['configs/plain.py', '--seed', '3', '--work-dir', str(one.work_dir),
                     '--resume', '--cfg-options', 'data_root=/x']  # fmt: skip
    # The last weights, wherever the folder lay when it was trained.
    assert test == ['configs/plain.py', str(one.work_dir / 'epoch_2.pth'), '--out',
                    str(one.work_dir / 'test.json'), '--cfg-options', 'data_root=/x']  # fmt: skip
    result = json.loads(one.result.read_text())
    assert result['metrics'] == {'mIoU': 39.5}
    assert result['val_mIoU'] == {'best': 41.0, 'last': 40.0}
    assert result['iterations'] == 50
    assert result['train_seconds'] == pytest.approx(20 * 0.5 + 20 * 0.2 + 10 * 0.3)
    assert result['seconds_per_iteration'] == 0.3
    assert result['data_seconds_per_iteration'] == 0.1
    assert (result['seed'], result['teacher']) == (3, TEACHER)
    assert result['config_hash'] == one.method.config_hash
    assert result['test_command'] == 'python test'
    assert {'command', 'date', 'environment'} <= set(result)


def test_what_has_a_result_is_not_run_again(cell):
    run_cell(cell(), FakeTools())
    tools = FakeTools()
    assert run_cell(cell(), tools)['metrics']['mIoU'] == 39.5
    assert tools.commands == []


def test_a_training_that_failed_goes_on_and_a_finished_one_is_only_tested(cell):
    with pytest.raises(RuntimeError, match='train fell over'):
        run_cell(cell(), FakeTools(failing=('train',)))
    assert not cell().result.exists()
    with pytest.raises(RuntimeError, match='test fell over'):
        run_cell(cell(), FakeTools(failing=('test',)))
    tools = FakeTools()
    run_cell(cell(), tools)
    assert tools.tools == ['test']
    begun = cell().work_dir / 'config_hash'
    assert begun.read_text().strip() == cell().method.config_hash


def test_the_cache_of_a_teacher_is_made_once_before_the_first_training(cell):
    model = {'type': 'SegDistiller', 'teacher': {'type': 'CachedTeacher', 'cache': 'cache'}}
    tools, maker = FakeTools(), cell('both', model=model).method
    for seed in (0, 1):
        run_cell(cell(seed=seed, model=model), tools, cached_by=maker)
    assert tools.tools == ['cache_teacher', 'train', 'test', 'train', 'test']
    assert [command[2] for command in tools.commands[:2]] == ['configs/both.py', 'configs/plain.py']


def test_a_cell_makes_its_own_cache_where_the_config_of_more_taps_cannot(cell):
    model = {'type': 'SegDistiller', 'teacher': {'type': 'CachedTeacher', 'cache': 'cache'}}
    tools, maker = FakeTools(failing=('cache_teacher',)), cell('misspelt', model=model).method
    for config in 'misspelt', 'plain':
        with pytest.raises(RuntimeError, match='cache_teacher fell over'):
            run_cell(cell(config, model=model), tools, cached_by=maker)
    made = [Path(command[2]).stem for command in tools.commands]
    assert made == ['misspelt', 'misspelt', 'plain']


def test_a_cell_that_another_process_runs_is_left_to_it(cell):
    tools = FakeTools()
    with _locked(cell().result), pytest.raises(AlreadyRunning):
        run_cell(cell(), tools)
    with _locked(cell().result):
        run_cell(cell(seed=1), tools)  # another cell
    run_cell(cell(), tools)
    assert tools.tools == ['train', 'test'] * 2


def test_without_validation_and_times_there_are_none_in_the_result():
    found = summarise_log(TrainingLog(train=[{'iter': 4}]))
    assert found['val_mIoU'] == {'best': None, 'last': None}
    assert found['seconds_per_iteration'] is None
