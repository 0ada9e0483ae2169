import pytest

from segkd_mm.config import list_configs, load_config
from segkd_mm.config_values import check_values


@pytest.mark.parametrize(
    ('config', 'name'),
    [
        ({'model': {'terms': {'a': {'loss_weight': -1.0}}}}, 'model.terms.a.loss_weight'),
        ({'model': {'decode_head': [{'num_classes': 0}]}}, 'model.decode_head.0.num_classes'),
        ({'model': {'data_preprocessor': {'std': [1.0, 0]}}}, 'model.data_preprocessor.std'),
        ({'train_dataloader': {'batch_size': True}}, 'train_dataloader.batch_size'),
        ({'train_cfg': {'max_epochs': 2.5}}, 'train_cfg.max_epochs'),
        ({'optim_wrapper': {'optimizer': {'lr': float('inf')}}}, 'optim_wrapper.optimizer.lr'),
        ({'randomness': {'seed': -1}}, 'randomness.seed'),
        ({'randomness': {'seed': 2**32}}, 'randomness.seed'),
        ({'log_level': 'LOUD'}, 'log_level'),
    ],
)  # fmt: skip
def test_a_value_that_no_run_can_have_is_named(config, name):
    with pytest.raises(ValueError, match=rf'a\.py: found {name}=.*expected .*--cfg-options'):
        check_values(config, 'a.py')


def test_what_is_right_passes():
    check_values({'randomness': {'seed': None}, 'model': {'data_preprocessor': {'std': None}}}, '')
    check_values({'optim_wrapper': {'optimizer': {'lr': None}}}, '')
    for name in list_configs()[::9]:
        load_config(name)
