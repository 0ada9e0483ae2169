"""Formatting of tables for all tools, on the console and in Markdown files.

A row is a dict from column title to value. Columns are in the order of their first appearance;
missing values, None and NaN are shown as ``-``, floats with two decimals, integers in groups of
three digits. Columns of numbers are aligned to the right. For other formats, pass strings.
"""

import math
import os
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from segkd_mm.files import written_aside

Rows = Sequence[Mapping[str, object]]


def console_table(rows: Rows, title: str | None = None) -> Table:
    """Make a console table for ``rich.print``."""
    table = Table(title=title)
    for column in _columns(rows):
        justify = 'right' if _is_numeric(rows, column) else 'left'
        table.add_column(Text(column), justify=justify, overflow='fold')
    for row in rows:
        # Text, not str, in which rich would read [brackets] as markup.
        table.add_row(*(Text(cell_text(row.get(column))) for column in _columns(rows)))
    return table


def wide_console() -> Console:
    """A console for tables, 160 columns wide if stdout is a file or a pipe."""
    return Console(width=None if sys.stdout.isatty() else 160)


def markdown_table(rows: Rows) -> str:
    """Make a Markdown table with aligned source; no line end after the last row."""
    columns = [_markdown_column(rows, column) for column in _columns(rows)]
    return '\n'.join(f'| {" | ".join(cells)} |' for cells in zip(*columns, strict=True))


def table_names(markdown_file: str | os.PathLike) -> list[str]:
    """Names of the tables in a file that :func:`replace_table` can replace, in order."""
    return re.findall('<!-- table: (.*?) -->', Path(markdown_file).read_text(encoding='utf-8'))


def replace_table(markdown_file: str | os.PathLike, name: str, table: str) -> None:
    """Replace the text between all markers ``<!-- table: NAME -->`` and ``<!-- /table -->``.

    Raises:
        ValueError: The file has no such pair of markers.
    """
    path = Path(markdown_file)
    text = path.read_text(encoding='utf-8')
    start, end = f'<!-- table: {name} -->', '<!-- /table -->'
    # Without another opening marker between the two, whose table would be lost.
    between = re.compile(f'({re.escape(start)})(?:(?!<!-- table:).)*?({re.escape(end)})', re.DOTALL)
    text, found = between.subn(lambda match: f'{match[1]}\n\n{table}\n\n{match[2]}', text)
    if not found:
        raise ValueError(
            f'{path}: no table {name!r}; found {table_names(path)}. Add the lines "{start}" and '
            f'"{end}" where the table belongs.'
        )
    with written_aside(path) as aside:
        aside.write_text(text, encoding='utf-8')


def _columns(rows: Rows) -> list[str]:
    return list(dict.fromkeys(column for row in rows for column in row))


def _is_missing(value: object) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def _is_numeric(rows: Rows, column: str) -> bool:
    values = [row.get(column) for row in rows]
    return all(isinstance(value, (int, float)) for value in values if not _is_missing(value))


def cell_text(value: object) -> str:
    """A value as tables show it."""
    if _is_missing(value):
        return '-'
    if isinstance(value, float):
        return f'{value:.2f}'
    return f'{value:,}' if isinstance(value, int) else str(value)


def _markdown_column(rows: Rows, column: str) -> list[str]:
    title, *cells = (
        text.replace('|', r'\|') for text in (column, *(cell_text(row.get(column)) for row in rows))
    )
    width = max(map(len, (title, *cells, '--:')))
    if _is_numeric(rows, column):
        return [text.rjust(width) for text in (title, '-' * (width - 1) + ':', *cells)]
    return [text.ljust(width) for text in (title, '-' * width, *cells)]
