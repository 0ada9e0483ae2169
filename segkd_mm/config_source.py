"""Python source of config values, in the style of mm configs."""

import keyword
from typing import Any

WIDTH = 100


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
    if any(name or isinstance(item, dict | list | tuple) for name, item in items):
        split = [f'{indent}{name}{to_source(item, len(indent + name), depth + 1)},'
                 for name, item in items]  # fmt: skip
    else:
        split = _filled([item for _, item in items], indent)
    return '\n'.join([opening, *split, indent[4:] + closing])


def _filled(values: list, indent: str) -> list[str]:
    """Lines of as many values as fit."""
    lines = [indent]
    for value in values:
        text = f'{value!r},'
        if len(lines[-1]) + len(text) >= WIDTH:
            lines.append(indent)
        lines[-1] += text if lines[-1] == indent else f' {text}'
    return lines


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
