import json
from pathlib import Path

import pytest
from mmengine.config import Config

from segkd_mm.results.runs.cells import Method, check_hashes, make_cells, tree_hash

BASE = {
    'model': {'type': 'A', 'backbone': {'weights': 'weights/a.pth'}},
    'train_dataloader': {'num_workers': 2, 'batch_size': 8, 'dataset': {'data_root': 'data/x'}},
    'train_cfg': {'max_epochs': 12},
    'log_level': 'INFO',
}


def hash_with(**options) -> str:
    config = Config(json.loads(json.dumps(BASE)))
    config.merge_from_dict(options)
    return Method('a.py', (), config).config_hash


@pytest.mark.parametrize(
    ('key', 'value'),
    [
        ('train_dataloader.num_workers', 8),
        ('train_dataloader.dataset.data_root', '/data/y'),
        ('model.backbone.weights', '/home/ada/a.pth'),
        ('log_level', 'ERROR'),
        ('work_dir', 'elsewhere'),
        ('randomness', {'seed': 3}),
    ],
)
def test_what_does_not_decide_a_result_leaves_the_hash(key, value):
    assert hash_with(**{key: value}) == hash_with()


@pytest.mark.parametrize(
    ('key', 'value'),
    [
        ('train_dataloader.batch_size', 16),
        ('train_cfg.max_epochs', 13),
        ('model.type', 'B'),
        ('model.backbone.weights', 'weights/b.pth'),
        ('model.backbone.weights', 'hf://ada/a.pth'),
        ('optim_wrapper', {'optimizer': {'lr': 1e-3}}),
        ('custom_hooks', [{'type': 'EMAHook'}]),
        ('load_from', 'other.pth'),
    ],
)
def test_what_decides_a_result_changes_the_hash(key, value):
    assert hash_with(**{key: value}) != hash_with()


def test_tuples_are_lists_and_the_order_of_keys_does_not_count():
    assert tree_hash({'a': (1, 2), 'b': None}) == tree_hash({'b': None, 'a': [1, 2]})


def test_models_of_one_name_on_the_hub_are_two():
    assert tree_hash({'checkpoint': 'hf://ada/a'}) != tree_hash({'checkpoint': 'hf://bob/a'})


def test_cells_come_seed_by_seed():
    methods = [Method(f'kd/{name}.py', (), Config()) for name in 'ab']
    cells = make_cells(methods, [0, 5], Path('results/camvid'), Path('work'))
    assert [cell.name for cell in cells] == ['a/0', 'b/0', 'a/5', 'b/5']
    assert cells[3].result == Path('results/camvid/b/5.json')
    assert cells[3].work_dir == Path('work/camvid/b/5')


def test_two_configs_of_one_name_are_an_error():
    methods = [Method(path, (), Config()) for path in ('camvid/plain.py', 'voc/plain.py', 'b.py')]
    with pytest.raises(ValueError, match='Several configs are called plain;'):
        make_cells(methods, [0], Path('results'), Path('work'))


def test_options_of_the_teacher_reach_those_configs_that_have_one():
    words = ['data_root=/x', 'model.teacher.checkpoint=/t.pth']
    plain = Method.load('student/mnv3s_slim_shapes.py', words)
    distilled = Method.load('kd/response_kd_shapes.py', words)
    assert plain.cfg_options == ('data_root=/x',)
    assert 'teacher' not in plain.config.model
    assert distilled.cfg_options == tuple(words)
    assert distilled.config.model.teacher.checkpoint == '/t.pth'
    assert distilled.config.train_dataloader.dataset.data_root == '/x'


def test_all_that_another_config_made_is_an_error_before_anything_runs(cell):
    right, foreign, begun, other = cell('a'), cell('a', 1), cell('b'), cell('c')
    for each, found in ((right, right.method.config_hash), (foreign, '0123456789abcdef')):
        each.result.parent.mkdir(parents=True, exist_ok=True)
        each.result.write_text(json.dumps({'config_hash': found}))
    other.result.parent.mkdir(parents=True)
    other.result.write_text('{}')  # by hand, with no hash
    for each in (begun, foreign, right):
        each.work_dir.mkdir(parents=True)
        (each.work_dir / 'config_hash').write_text('fedcba9876543210\n')
    check_hashes([right, cell('d')])
    with pytest.raises(ValueError, match='delete what is named here') as error:
        check_hashes([right, foreign, begun, other])
    said = str(error.value)
    assert f'{foreign.result}: config hash 0123456789ab, now ' in said
    assert f'{begun.work_dir}: config hash fedcba987654, now ' in said
    assert f'{other.result}: config hash none, now ' in said
    assert f'{foreign.work_dir}: config hash fedcba987654, now ' in said
    assert str(right.result) not in said and str(right.work_dir) not in said
