"""The length of a training: all of a config's schedule, made shorter or longer at once."""

import math
from fractions import Fraction
from typing import Any

from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmseg.registry import DATASETS

# mmengine's schedulers of a learning rate or a momentum, and their arguments beside `begin` and
# `end` that are numbers of epochs or iterations. The patience of ReduceOnPlateau is none of a plan.
SCHEDULERS = {
    'Constant': (), 'CosineAnnealing': ('T_max',), 'CosineRestart': ('periods',), 'Linear': (),
    'MultiStep': ('milestones',), 'OneCycle': ('total_steps',), 'Poly': (), 'ReduceOnPlateau': (),
    'Step': ('step_size',),
}  # fmt: skip
# Arguments of hooks that are such numbers, as of EMAHook and PipelineSwitchHook.
HOOK_POINTS = ('begin_epoch', 'begin_iter', 'switch_epoch')
VAL_INTERVAL = {'max_epochs': 1, 'max_iters': 1000}  # mmengine's, where a config has none


def set_epochs(config: Config, epochs: int) -> None:
    """Set the number of training epochs and scale the rest of the schedule with it.

    The schedulers and the hooks that start later are scaled in proportion, rounded to whole epochs
    or iterations. The interval of validations stays, but is at most the whole training. A schedule
    that counts iterations gets those of so many epochs of the training data.

    Args:
        config: The config; it is changed.
        epochs: Number of epochs, 1 or more.

    Raises:
        ValueError: The schedule cannot be scaled; the message names the key.
    """
    loop = config.train_cfg
    unit = 'max_epochs' if 'max_epochs' in loop else 'max_iters'
    if 'dynamic_intervals' in loop or unit not in loop:
        raise _not_scalable('train_cfg', dict(loop))
    length = epochs if unit == 'max_epochs' else epochs * _iterations_per_epoch(config)
    factor = Fraction(length, loop[unit])
    for name, scheduler in _schedulers(config.get('param_scheduler')).items():
        _scale_scheduler(name, scheduler, factor)
    for hook in config.get('custom_hooks', []):
        hook.update({key: round(hook[key] * factor) for key in HOOK_POINTS if key in hook})
    loop[unit] = length
    loop.val_interval = min(loop.get('val_interval', VAL_INTERVAL[unit]), length)
    loop.val_begin = min(loop.get('val_begin', 1), length)
    if unit in config:  # the variable of the config file
        config[unit] = length


def _iterations_per_epoch(config: Config) -> int:
    loader = config.train_dataloader
    if config.get('launcher', 'none') != 'none' or 'batch_size' not in loader:
        raise ValueError(
            '--epochs: the schedule counts iterations, and how many an epoch has depends on the '
            'number of processes and the sampler. Set train_cfg.max_iters, and the `end` of '
            'param_scheduler, by --cfg-options.'
        )
    init_default_scope(config.get('default_scope', 'mmseg'))
    samples, batch = len(DATASETS.build(loader.dataset)), loader.batch_size
    return max(samples // batch if loader.get('drop_last') else -(-samples // batch), 1)


def _schedulers(schedulers: Any) -> dict[str, dict]:
    """The schedulers of a config by their keys."""
    if isinstance(schedulers, dict):
        return {'param_scheduler': schedulers}
    return {f'param_scheduler.{index}': one for index, one in enumerate(schedulers or [])}


def _scale_scheduler(name: str, scheduler: dict, factor: Fraction) -> None:
    kind = str(scheduler.get('type'))
    for suffix in ('LR', 'Momentum', 'ParamScheduler'):
        kind = kind.removesuffix(suffix)
    if kind not in SCHEDULERS:
        raise _not_scalable(name, scheduler)
    # A scheduler that mmengine converts to iterations may begin and end within an epoch.
    parts = ('begin', 'end', 'T_max') if scheduler.get('convert_to_iter_based') else ()
    for key in ('begin', 'end', *SCHEDULERS[kind]):
        if scheduler.get(key):
            scheduler[key] = _scaled(scheduler[key], factor, key not in parts)
            if not _is_positive(scheduler[key]) and key != 'begin':
                raise _nothing_left(f'{name}.{key}')
    if scheduler.get('end', math.inf) <= scheduler.get('begin', 0):
        raise _nothing_left(name)


def _scaled(points: Any, factor: Fraction, whole: bool) -> Any:
    """A number of epochs or iterations, or a list of them."""
    if isinstance(points, list | tuple):
        return [_scaled(point, factor, whole) for point in points]
    scaled = points * factor
    return round(scaled) if whole or scaled.denominator == 1 else float(scaled)


def _is_positive(points: Any) -> bool:
    return min(points) > 0 if isinstance(points, list) else points > 0


def _nothing_left(key: str) -> ValueError:
    return ValueError(
        f'--epochs: {key} comes to no whole epoch or iteration in so few; use more epochs, or '
        'set the keys of the schedule one by one by --cfg-options.'
    )


def _not_scalable(name: str, found: dict) -> ValueError:
    return ValueError(
        f'--epochs: {name} is {found}, which cannot be scaled; expected one of the schedulers '
        f'{", ".join(SCHEDULERS)}, and max_epochs or max_iters in train_cfg. Set the keys one by '
        'one by --cfg-options.'
    )
