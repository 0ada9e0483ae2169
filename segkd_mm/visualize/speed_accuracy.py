"""The speed/accuracy plot: mIoU over latency, with the Pareto front."""

import os
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise, product
from math import cos, radians, sin

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Annotation
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter
from matplotlib.transforms import Bbox

from segkd_mm.results.speed_accuracy import group_by_dataset, short_name, trade
from segkd_mm.visualize.overlays import FAINT_INK, INK
from segkd_mm.visualize.style import COLOURS, MUTED, chart

FRONT = COLOURS[0]
WIDTH, HEIGHT = 9.0, 5.2  # inches; the height is of one panel
MARKER = 8  # points across
FONT_SIZE = 10

# Where a name may stand, the nearest first: pixels from its point, at degrees around it.
NEAR, *FURTHER = 14, 32, 55, 85, 120, 160
ANGLES = (0, 180, 90, 270, 45, 135, 225, 315)


def draw_speed_accuracy(path: str | os.PathLike, rows: Sequence[Mapping], title: str) -> None:
    """Write a PNG of rows of :mod:`segkd_mm.results.speed_accuracy`: a panel for each data set.

    Rows without a score are left out. Bars are one standard deviation over seeds.

    Raises:
        ValueError: no row has a score.
    """
    groups = group_by_dataset(rows)
    if not groups:
        raise ValueError(f'{path}: no model has an mIoU to draw; test one with tools/test.py')
    with chart(path, WIDTH, HEIGHT * len(groups)) as figure:
        panels = figure.subplots(len(groups), squeeze=False)[:, 0]
        for axes, (data, group) in zip(panels, groups.items(), strict=True):
            axes.set_title(f'{data}; {title}', fontsize=12)
            _points(axes, group)
            _front(axes, group)
            _axis_of_time(axes, group)
        _legend(figure, rows)
        figure.draw_without_rendering()  # settles the layout in which names look for a place
        for axes, group in zip(panels, groups.values(), strict=True):
            _names(axes, group)


def _points(axes: Axes, rows: Sequence[Mapping]) -> None:
    bars = {'elinewidth': 1.2, 'capsize': 3}
    for row in rows:
        colour, layer = (FRONT, 3) if row['pareto'] else (MUTED, 2)
        std = row['mIoU']['std']
        axes.errorbar(*trade(row), std, fmt='o', ms=MARKER, color=colour, zorder=layer, **bars)
    axes.set_ylabel('mIoU (%)')
    axes.margins(0.12)


def _front(axes: Axes, rows: Sequence[Mapping]) -> None:
    corners = sorted(trade(row) for row in rows if row['pareto'])
    axes.step(*zip(*corners, strict=True), where='post', color=FRONT, linewidth=1.5, zorder=1)


def _axis_of_time(axes: Axes, rows: Sequence[Mapping]) -> None:
    axes.set_xlabel('latency to labels (ms)')
    times = [trade(row)[0] for row in rows]
    if max(times) > 10 * min(times):
        axes.set_xscale('log')
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter(StrMethodFormatter('{x:g}'))
        axes.xaxis.set_minor_formatter(NullFormatter())


def _legend(figure: Figure, rows: Sequence[Mapping]) -> None:
    shown = [row for row in rows if row['mIoU']]
    dot = {'marker': 'o', 'markersize': MARKER}
    entries = [Line2D([], [], color=FRONT, **dot, label='Pareto front')]
    if not all(row['pareto'] for row in shown):
        entries.append(Line2D([], [], color=MUTED, linestyle='', **dot, label='dominated'))
    if any(row['mIoU']['std'] is not None for row in shown):
        bar = {'marker': '|', 'markersize': 14, 'linestyle': ''}
        entries.append(
            Line2D([], [], color=FAINT_INK, **bar, label='standard deviation over seeds')
        )
    figure.legend(handles=entries, loc='outside lower center', ncols=3, fontsize=FONT_SIZE)


def _names(axes: Axes, rows: Sequence[Mapping]) -> None:
    """Write each name where it covers least of points, bars, the front and other names."""
    taken = [*(_mark(axes, row) for row in rows), *_front_boxes(axes, rows)]
    for row in sorted(rows, key=lambda row: not row['pareto']):
        name = _name(axes, row)
        box = name.get_window_extent()
        places = {
            (distance, angle): box.translated(*_shift(box, distance, angle))
            for distance, angle in product((NEAR, *FURTHER), ANGLES)
        }
        # min keeps the first of equals, which is the nearest.
        best = min(places, key=lambda place: _covered(places[place], taken, axes.bbox))
        name.set_position(_shift(box, *best))
        name.arrow_patch.set_visible(best[0] > NEAR)
        taken.append(places[best])


def _name(axes: Axes, row: Mapping) -> Annotation:
    """The name in the middle of its point; once moved away, a thin line leads there."""
    colour = INK if row['pareto'] else FAINT_INK
    line = {'arrowstyle': '-', 'color': MUTED, 'linewidth': 0.8, 'shrinkA': 0, 'shrinkB': 9}
    where = {'xytext': (0, 0), 'textcoords': 'offset pixels', 'ha': 'center', 'va': 'center'}
    name, at = short_name(row['config']), trade(row)
    return axes.annotate(
        name, at, **where, fontsize=FONT_SIZE, color=colour, arrowprops=line, zorder=4
    )


def _shift(box: Bbox, distance: float, angle: float) -> tuple[float, float]:
    """From the middle of a point to that of its name, in pixels."""
    x, y = cos(radians(angle)), sin(radians(angle))
    return x * distance + round(x) * box.width / 2, y * distance + round(y) * box.height / 2


def _covered(box: Bbox, taken: Sequence[Bbox], inside: Bbox) -> float:
    """Pixels of the box that are taken, or that lie outside."""
    outside = box.width * box.height - _common(box, inside)
    return outside + sum(_common(box, other) for other in taken)


def _common(one: Bbox, other: Bbox) -> float:
    both = Bbox.intersection(one, other)
    return both.width * both.height if both else 0.0


def _mark(axes: Axes, row: Mapping) -> Bbox:
    """A point with its bar."""
    (x, y), std = trade(row), row['mIoU']['std'] or 0.0
    return Bbox(axes.transData.transform([(x, y - std), (x, y + std)])).padded(MARKER * 1.2)


def _front_boxes(axes: Axes, rows: Sequence[Mapping]) -> Iterator[Bbox]:
    """Flat boxes along the steps of the front."""
    front = sorted(trade(row) for row in rows if row['pareto'])
    for (x, y), (next_x, next_y) in pairwise(front):
        for ends in ([(x, y), (next_x, y)], [(next_x, y), (next_x, next_y)]):
            yield Bbox(axes.transData.transform(ends)).padded(2)
