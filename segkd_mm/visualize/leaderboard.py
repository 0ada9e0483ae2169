"""Charts of a leaderboard: test mIoU of each method, and gains of each class."""

import os
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.lines import Line2D

from segkd_mm.results.statistics import Row
from segkd_mm.visualize.overlays import INK
from segkd_mm.visualize.style import COLOURS, GRID, MUTED, chart

WIDTH = 9.0  # inches
LINE = 0.36  # inches per method
ABOVE, BELOW = COLOURS[0], COLOURS[1]
# Light at both ends, so that dark digits are readable on all colours.
CHANGE = LinearSegmentedColormap.from_list('change', ['#F2A97E', '#FFFFFF', '#8FBFE3'])
CHANGE = CHANGE.with_extremes(bad=GRID)


def draw_leaderboard(path: str | os.PathLike, rows: Sequence[Row], data: str) -> None:
    """Write a PNG of the test mIoU of each method: a dot per seed, mean and standard deviation.

    Args:
        path: The PNG file.
        rows: Rows of :func:`segkd_mm.results.statistics.leaderboard_rows`, drawn from the top; the
            one without a gain is the baseline.
        data: Description of the test images, for the title.
    """
    with chart(path, WIDTH, 1.6 + LINE * len(rows)) as figure:
        axes = figure.subplots()
        for place, row in enumerate(rows):
            _method(axes, place, row)
        _baseline(axes, rows)
        axes.set_yticks(range(len(rows)), [row.method for row in rows], color=INK)
        axes.set_ylim(len(rows) - 0.4, -0.6)  # the first row on top
        axes.tick_params(axis='y', length=0)
        axes.grid(False, axis='y')
        axes.margins(x=0.06)
        axes.set(xlabel='mIoU (%)', title=f'{data}{_teachers(rows)}')
        figure.legend(handles=_legend(rows), loc='outside lower center', ncols=4, fontsize=10)


def _method(axes: Axes, place: int, row: Row) -> None:
    colour, seeds = _colour(row), list(row.scores.values())
    axes.plot(seeds, [place] * len(seeds), 'o', ms=7, color=colour, alpha=0.45, mew=0, zorder=3)
    axes.plot(row.mean, place, '|', ms=17, mew=2.4, color=colour, zorder=4)
    if row.std is not None:
        axes.errorbar(row.mean, place, xerr=row.std, color=colour, elinewidth=1.4, capsize=4)
    where = {'transform': axes.get_yaxis_transform(), 'va': 'center', 'fontsize': 10}
    axes.text(1.02, place, _numbers(row), color=INK, **where)


def _colour(row: Row) -> str:
    if row.gain is None:
        return MUTED
    return ABOVE if row.gain.mean > 0 else BELOW


def _numbers(row: Row) -> str:
    spread = 'one seed' if row.std is None else f'± {row.std:.2f}'
    return f'{row.mean:.2f} {spread}'


def _baseline(axes: Axes, rows: Sequence[Row]) -> None:
    for row in rows:
        if row.gain is None:
            axes.axvline(row.mean, color=MUTED, linestyle='--', linewidth=1.2, zorder=1)


def _teachers(rows: Sequence[Row]) -> str:
    """The mIoU of the teachers for the title, as it may be far outside of the axis."""
    scores = sorted({f'{row.teacher:.1f}' for row in rows if row.teacher is not None}, key=float)
    if not scores:
        return ''
    return f'; teacher{"s" * (len(scores) > 1)} at {", ".join(scores)}'


def _legend(rows: Sequence[Row]) -> list[Line2D]:
    dot = Line2D([], [], color=ABOVE, marker='o', ms=7, alpha=0.45, mew=0, ls='', label='a seed')
    bar = Line2D([], [], color=ABOVE, marker='|', ms=14, mew=2.4, label='mean ± std over seeds')
    line = Line2D([], [], color=MUTED, ls='--', label='baseline')
    worse = Line2D(
        [], [], color=BELOW, marker='|', ms=14, mew=2.4, ls='', label='no gain on the same seeds'
    )
    return [dot, bar, line, *([worse] if any(_colour(row) == BELOW for row in rows) else [])]


def draw_class_gains(path: str | os.PathLike, rows: Sequence[Row]) -> None:
    """Write a PNG of the gain in IoU over the baseline, methods by classes.

    Args:
        path: The PNG file.
        rows: Rows of :func:`segkd_mm.results.statistics.leaderboard_rows`; those without a gain are
            left out.

    Raises:
        ValueError: No row has a gain.
    """
    rows = [row for row in rows if row.gain]
    if not rows:
        raise ValueError(f'{path}: no method has a seed in common with the baseline.')
    classes = list(rows[0].gain.per_class)
    gains = np.array([[row.gain.per_class[name] for name in classes] for row in rows], float)
    width = 1.0 + 0.09 * max(len(row.method) for row in rows) + 0.52 * len(classes)
    height = 0.9 + LINE * len(rows) + 0.085 * max(map(len, classes))
    with chart(path, max(width, 5.0), height) as figure:
        axes = figure.subplots()
        limit = max(float(np.nanmax(np.abs(gains), initial=0.0)), 1.0)
        axes.imshow(gains, cmap=CHANGE, vmin=-limit, vmax=limit, aspect='auto')
        _cells(axes, gains)
        axes.set_xticks(range(len(classes)), classes, rotation=90, color=INK)
        axes.set_yticks(range(len(rows)), [row.method for row in rows], color=INK)
        axes.set_title('points of IoU over the baseline, mean over seeds')


def _cells(axes: Axes, gains: np.ndarray) -> None:
    for (row, column), gain in np.ndenumerate(gains):
        text = '-' if np.isnan(gain) else f'{gain:+.1f}'
        axes.text(column, row, text, ha='center', va='center', fontsize=9, color=INK)
    axes.tick_params(length=0)
    axes.grid(False)
    axes.spines[:].set_visible(False)
