"""The numbers are those that a person sets by hand for a schedule of another length."""

from copy import deepcopy

import pytest
from mmengine.config import Config, ConfigDict

from segkd_mm.config import config_dir, load_config
from segkd_mm.schedule import set_epochs

SCHEDULES = config_dir() / '_base_' / 'schedules'


def schedule(name, **changes):
    config = Config.fromfile(SCHEDULES / f'{name}.py')
    config.merge_from_dict(changes)
    return config


@pytest.mark.parametrize(
    ('name', 'epochs', 'by_hand'),
    [
        ('adam_plateau_50e', 3, {'train_cfg.max_epochs': 3}),
        ('adamw_poly_3e', 6, {'train_cfg.max_epochs': 6, 'param_scheduler.end': 6}),
        (
            'adamw_poly_8e', 1,
            {'train_cfg.max_epochs': 1, 'param_scheduler.end': 1, 'train_cfg.val_interval': 1},
        ),
        ('adamw_poly_20e', 40, {'train_cfg.max_epochs': 40, 'param_scheduler.end': 40}),
        ('sgd_poly_50e', 25, {'train_cfg.max_epochs': 25, 'param_scheduler.end': 25}),
    ],
)  # fmt: skip
def test_our_schedules_get_the_keys_that_one_would_set_by_hand(name, epochs, by_hand):
    config, expected = schedule(name), schedule(name, **by_hand)
    set_epochs(config, epochs)
    expected.train_cfg.val_begin = 1  # mmengine's own
    if 'max_epochs' in expected:
        expected.max_epochs = epochs
    assert config.to_dict() == expected.to_dict()


def test_a_schedule_of_iterations_gets_those_of_the_training_data(shapes):
    config = load_config('student/mnv3s_slim_shapes.py', {'data_root': str(shapes)})
    config.merge_from_dict(schedule('adamw_poly_1600i').to_dict())
    config.train_cfg.pop('max_epochs')
    config.train_dataloader.dataset.update(num_train=16, num_val=4)
    config.train_dataloader.update(batch_size=5, drop_last=True)
    partial = deepcopy(config)
    set_epochs(config, 7)  # of 16 // 5 = 3 iterations
    assert config.train_cfg.max_iters == config.param_scheduler.end == config.max_iters == 21
    assert config.train_cfg.val_interval == 21
    partial.train_dataloader.drop_last = False
    set_epochs(partial, 7)  # the last batch has one image
    assert partial.train_cfg.max_iters == 28
    config.launcher = 'pytorch'
    with pytest.raises(ValueError, match=r'number of processes .* Set train_cfg\.max_iters'):
        set_epochs(config, 7)


def scaled(*schedulers, epochs, hooks=(), of=50):
    config = Config(dict(
        train_cfg=dict(max_epochs=of, val_interval=10), param_scheduler=[*map(dict, schedulers)],
        custom_hooks=[ConfigDict(hook) for hook in hooks],
    ))  # fmt: skip
    set_epochs(config, epochs)
    return config


def test_warm_up_milestones_and_late_hooks_are_scaled_in_proportion():
    config = scaled(
        dict(type='LinearLR', start_factor=0.1, begin=0, end=500, by_epoch=False),
        dict(type='CosineAnnealingLR', begin=5, end=50, T_max=45),
        dict(type='MultiStepLR', milestones=[20, 40]),
        dict(type='StepLR', step_size=10, gamma=0.5),
        hooks=[dict(type='EMAHook', begin_epoch=20), dict(type='FiniteLossHook')],
        epochs=10,
    )
    warm_up, cosine, steps, step = config.param_scheduler
    assert warm_up.end == 100
    assert (cosine.begin, cosine.end, cosine.T_max) == (1, 10, 9)
    assert (steps.milestones, step.step_size) == ([4, 8], 2)
    assert config.custom_hooks[0].begin_epoch == 4
    assert (config.train_cfg.max_epochs, config.train_cfg.val_interval) == (10, 10)


def test_what_is_converted_to_iterations_may_end_within_an_epoch():
    warm_up = dict(type='LinearLR', begin=0, end=3, by_epoch=True, convert_to_iter_based=True)
    poly = dict(type='PolyLR', begin=3, end=50, by_epoch=True, convert_to_iter_based=True)
    warm_up, poly = scaled(warm_up, poly, epochs=1).param_scheduler
    assert (warm_up.begin, warm_up.end) == (0, 0.06)
    assert (poly.begin, poly.end) == (0.06, 1)


@pytest.mark.parametrize(
    ('scheduler', 'message'),
    [
        (dict(type='ExponentialLR', gamma=0.9), r'param_scheduler\.0 is .*ExponentialLR.* cannot'),
        (dict(type='LinearLR', end=3), r'param_scheduler\.0\.end comes to no whole epoch'),
        (dict(type='MultiStepLR', milestones=[20, 40]), r'0\.milestones comes to no whole'),
        (dict(type='PolyLR', begin=45, end=50), r'param_scheduler\.0 comes to no whole epoch'),
    ],
)
def test_a_schedule_that_cannot_be_scaled_is_an_error_with_its_key(scheduler, message):
    with pytest.raises(ValueError, match=message):
        scaled(scheduler, epochs=1)


def test_a_loop_without_a_length_is_an_error():
    with pytest.raises(ValueError, match=r'train_cfg is .* cannot be scaled'):
        set_epochs(Config(dict(train_cfg=dict(type='OwnLoop'))), 1)
