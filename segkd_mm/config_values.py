"""Values in a config that no run can have, by the name of their key."""

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any


def _whole(least: int) -> Callable[[Any], bool]:
    return lambda x: isinstance(x, int) and not isinstance(x, bool) and x >= least


def _is_amount(value: Any) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and 0 <= value < math.inf


def _has_no_zero(value: Any) -> bool:
    values = value if isinstance(value, list | tuple) else [value]
    return all(one is None or (_is_amount(one) and one > 0) for one in values)


def _are_sides(value: Any) -> bool:
    return all(_whole(1)(side) for side in (value if isinstance(value, list | tuple) else [value]))


LEVELS = 'DEBUG', 'INFO', 'WARNING', 'ERROR', 'CRITICAL'
# What a key of that name must be, wherever it stands in these parts of a config.
PARTS = (
    'model', 'train_dataloader', 'val_dataloader', 'test_dataloader', 'train_cfg', 'optim_wrapper',
    'randomness', 'log_level',
)  # fmt: skip
RULES: dict[str, tuple[Callable[[Any], bool], str]] = {
    **dict.fromkeys(
        ('num_classes', 'batch_size', 'max_epochs', 'max_iters', 'val_interval'),
        (_whole(1), 'a whole number of 1 or more'),
    ),
    'num_workers': (_whole(0), 'a whole number of 0 or more'),
    'seed': (lambda x: x is None or _whole(0)(x), 'a whole number of 0 or more, or None'),
    **dict.fromkeys(('loss_weight', 'lr', 'weight_decay'), (_is_amount, 'a number of 0 or more')),
    'temperature': (lambda x: _is_amount(x) and x > 0, 'a number above 0'),
    'crop_size': (_are_sides, 'one or two whole numbers of 1 or more'),
    'log_level': (lambda x: x in LEVELS or _whole(0)(x), f'one of {", ".join(LEVELS)}'),
    'std': (_has_no_zero, 'numbers above 0'),
}


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
            allowed, expected = RULES.get(name.rpartition('.')[2], (None, ''))
            if allowed and not allowed(value):
                raise ValueError(
                    f'{file}: found {name}={value!r:.60}, expected {expected}. Correct it in the '
                    'config or by --cfg-options.'
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
