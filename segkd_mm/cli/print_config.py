"""Print a config with its bases and options resolved: one file that is a config itself.

Examples:
  tools/print_config.py kd/cwd_camvid.py
  tools/print_config.py kd/cwd_camvid.py --cfg-options optim_wrapper.optimizer.lr=5e-4 > mine.py

The same as `python -m segkd_mm configs --show CONFIG`.
"""

import argparse
import keyword
from typing import Any

from mmengine.config import Config

from segkd_mm.cli import arguments
from segkd_mm.config import RUNNER_KEYS, load_config

WIDTH = 100
HELPERS = '# Variables of the bases.'


def resolved(config: Config) -> str:
    """The text of a config file without bases; what a run reads comes first."""
    values = config.to_dict()
    settings = [key for key in ('custom_imports', *RUNNER_KEYS) if key in values]
    helpers = [key for key in values if key not in settings]
    lines = [f'{key} = {to_source(values[key], len(key) + 3)}' for key in (*settings, *helpers)]
    lines.insert(len(settings), HELPERS)
    return '\n'.join([f'"""{config.filename}, resolved."""', '', *lines])


def to_source(value: Any, used: float = 0, depth: int = 0) -> str:
    """Python source of a value in the style of mm configs.

    Args:
        value: Of dicts, lists, tuples and what ``repr`` can write.
        used: Characters of its line that are taken; what does not fit is split over lines.
        depth: How deep it is indented.
    """
    if not isinstance(value, dict | list | tuple):
        return repr(value)
    opening, closing, items = _parts(value)
    line = opening + ', '.join(name + to_source(item, -float('inf')) for name, item in items)
    line += ',' * (isinstance(value, tuple) and len(value) == 1) + closing
    if used + len(line) < WIDTH:
        return line
    indent = ' ' * 4 * (depth + 1)
    split = [f'{indent}{name}{to_source(item, len(indent + name), depth + 1)},'
             for name, item in items]  # fmt: skip
    return '\n'.join([opening, *split, indent[4:] + closing])


def _parts(value: dict | list | tuple) -> tuple[str, str, list[tuple[str, Any]]]:
    """Opening, closing and the items, each with what stands before it."""
    if isinstance(value, dict):
        if all(_is_name(key) for key in value):
            return 'dict(', ')', [(f'{key}=', item) for key, item in value.items()]
        return '{', '}', [(f'{key!r}: ', item) for key, item in value.items()]
    opening, closing = '[]' if isinstance(value, list) else '()'
    return opening, closing, [('', item) for item in value]


def _is_name(key: Any) -> bool:
    return isinstance(key, str) and key.isidentifier() and not keyword.iskeyword(key)


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = arguments.parser(__doc__)
    arguments.add_config(parser)
    arguments.add_cfg_options(parser)
    return parser.parse_args()


def main() -> None:
    """Run the command line."""
    args = parse_args()
    print(resolved(load_config(args.config, args.cfg_options)))
