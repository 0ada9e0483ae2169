"""Python source of config values, in the style of mm configs."""

import keyword
from collections.abc import Iterator
from math import inf
from typing import Any

WIDTH = 100
INDENT = ' ' * 4


class Source(str):
    """Source of a value that stands in a config as it is, such as ``_base_.student``."""

    __slots__ = ()


class Table(dict):
    """Data by name, such as colours: written as ``{...}``, with as many items as fit in a line."""


def call_lines(name: str, *rows: dict[str, Any]) -> Iterator[str]:
    """Lines of ``name = dict(...)``: one where all fits, else one for each row of arguments.

    A row that does not fit has a line, or several, for each of its arguments.
    """
    rows = [row for row in rows if row]
    joined = [_arguments(row) for row in rows]
    if len(line := f'{name} = dict({", ".join(joined)})') <= WIDTH:
        yield line
        return
    yield f'{name} = dict('
    for row, line in zip(rows, joined, strict=True):
        if len(INDENT) + len(line) < WIDTH:
            yield f'{INDENT}{line},'
        else:
            yield from (
                f'{INDENT}{key}={to_source(value, len(INDENT) + len(key) + 1, depth=1)},'
                for key, value in row.items()
            )
    yield ')'


def _arguments(row: dict[str, Any]) -> str:
    return ', '.join(f'{key}={to_source(value, -inf)}' for key, value in row.items())


def to_source(value: Any, used: float = 0, depth: int = 0) -> str:
    """Python source of a value in the style of mm configs.

    Args:
        value: Of dicts, lists, tuples and what ``repr`` can write.
        used: Characters of its line that are taken; what does not fit is split over lines.
        depth: How deep it is indented.
    """
    if isinstance(value, Source):
        return str(value)
    if not isinstance(value, dict | list | tuple):
        return repr(value)
    opening, closing, items = _parts(value)
    line = opening + ', '.join(name + to_source(item, -inf) for name, item in items)
    line += ',' * (isinstance(value, tuple) and len(value) == 1) + closing
    if used + len(line) < WIDTH:
        return line
    indent = ' ' * 4 * (depth + 1)
    if isinstance(value, Table):
        split = _rows(items, indent)
    elif any(name or isinstance(item, dict | list | tuple) for name, item in items):
        split = [f'{indent}{name}{to_source(item, len(indent + name), depth + 1)},'
                 for name, item in items]  # fmt: skip
    else:
        split = _filled([repr(item) for _, item in items], indent)
    return '\n'.join([opening, *split, indent[4:] + closing])


def _filled(sources: list[str], indent: str) -> list[str]:
    """Lines of as many values as fit, given as source."""
    lines = [indent]
    for source in sources:
        text = f'{source},'
        if len(lines[-1]) + len(text) >= WIDTH and lines[-1] != indent:
            lines.append(indent)
        lines[-1] += text if lines[-1] == indent else f' {text}'
    return lines


def _rows(items: list[tuple[str, Any]], indent: str) -> list[str]:
    """Lines of as many items as fit; a list that is too long has lines of its own."""
    lines: list[str] = []
    short: list[str] = []
    for name, item in items:
        text = name + to_source(item, -inf)
        if len(indent) + len(text) < WIDTH or not isinstance(item, list):
            short.append(text)
            continue
        lines += _filled(short, indent) if short else []
        short = []
        sources = [to_source(one, -inf) for one in item]
        rows = _filled([*sources[:-1], f'{sources[-1]}]'], indent + ' ' * (len(name) + 1))
        lines += [f'{indent}{name}[{rows[0].lstrip()}', *rows[1:]]
    return lines + (_filled(short, indent) if short else [])


def _parts(value: dict | list | tuple) -> tuple[str, str, list[tuple[str, Any]]]:
    """Opening, closing and the items, each with what stands before it."""
    if isinstance(value, dict):
        if not isinstance(value, Table) and all(_is_name(key) for key in value):
            return 'dict(', ')', [(f'{key}=', item) for key, item in value.items()]
        return '{', '}', [(f'{key!r}: ', item) for key, item in value.items()]
    opening, closing = '[]' if isinstance(value, list) else '()'
    return opening, closing, [('', item) for item in value]


def _is_name(key: Any) -> bool:
    return isinstance(key, str) and key.isidentifier() and not keyword.iskeyword(key)
