"""Check of values in a config, such as batch sizes, learning rates and weights of losses."""

import math
import re
from collections.abc import Callable, Iterator, Mapping
from numbers import Integral, Real
from typing import Any

import numpy as np


def _whole(least: int) -> Callable[[Any], bool]:
    return lambda x: isinstance(x, Integral) and not isinstance(x, bool) and x >= least


def _is_amount(value: Any) -> bool:
    number = isinstance(value, Real) and not isinstance(value, bool)
    return number and 0 <= value < math.inf


def _is_above_zero(value: Any) -> bool:
    return _is_amount(value) and value > 0


def _each(allowed: Callable[[Any], bool]) -> Callable[[Any], bool]:
    """Whether a value, or each in a list of values, is allowed."""
    return lambda x: all(map(allowed, x if isinstance(x, list | tuple | np.ndarray) else [x]))


SEEDS = 1 << 32  # that numpy takes
LEVELS = 'DEBUG', 'INFO', 'WARNING', 'ERROR', 'CRITICAL'
# The parts of a config that are looked at, and what keys with such an end must be.
PARTS = (
    'model', 'train_dataloader', 'val_dataloader', 'test_dataloader', 'train_cfg', 'optim_wrapper',
    'randomness', 'log_level',
)  # fmt: skip
RULES: dict[str, tuple[Callable[[Any], bool], str]] = {
    r'head(\.\d+)?\.num_classes|\.(batch_size|max_epochs|max_iters|val_interval)': (
        _whole(1), 'a whole number of 1 or more'),
    r'\.num_workers': (_whole(0), 'a whole number of 0 or more'),
    r'randomness\.seed': (
        lambda x: _whole(0)(x) and x < SEEDS, f'a whole number from 0 to {SEEDS - 1}'),
    r'\.(loss_weight|lr|weight_decay)': (_each(_is_amount), 'a number of 0 or more'),
    r'\.temperature': (_is_above_zero, 'a number above 0'),
    r'\.crop_size': (_each(_whole(1)), 'one or two whole numbers of 1 or more'),
    r'data_preprocessor\.std': (
        _each(_is_above_zero), 'numbers above 0'),
    'log_level': (lambda x: x in LEVELS or _whole(0)(x), f'one of {", ".join(LEVELS)}'),
}  # fmt: skip
END = {re.compile(f'(?:{pattern})$'): rule for pattern, rule in RULES.items()}


def check_values(config: Mapping, file: str | None) -> None:
    """Check the values of a config whose keys are in :data:`RULES`.

    Args:
        config: The config.
        file: Its file, for errors.

    Raises:
        ValueError: One is not as it must be; names the dotted key.
    """
    for part in PARTS:
        for name, value in _leaves(part, config[part]) if part in config else ():
            for end, (allowed, expected) in END.items():
                # Whether None is allowed is said by what takes it.
                if value is not None and end.search(name) and not allowed(value):
                    raise ValueError(
                        f'{file}: found {name}={value!r:.60}, expected {expected}. Correct it in '
                        'the config or by --cfg-options.'
                    )


def _leaves(name: str, node: Any) -> Iterator[tuple[str, Any]]:
    """What stands below a node by dotted key, dicts and lists of dicts aside."""
    if isinstance(node, Mapping):
        for key, child in node.items():
            yield from _leaves(f'{name}.{key}', child)
    elif isinstance(node, list | tuple) and any(isinstance(one, Mapping) for one in node):
        for number, child in enumerate(node):
            yield from _leaves(f'{name}.{number}', child)
    else:
        yield name, node
