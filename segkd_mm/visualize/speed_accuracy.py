"""Plot of mIoU over latency with the Pareto front."""

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

from segkd_mm.commands import command
from segkd_mm.results.speed_accuracy import group_by_dataset, latency_and_miou, short_name
from segkd_mm.visualize.overlays import FAINT_INK, INK
from segkd_mm.visualize.style import COLOURS, MUTED, chart

FRONT = COLOURS[0]
WIDTH, HEIGHT = 9.0, 5.2  # inches; the height is of one panel
MARKER = 8  # points across
FONT_SIZE = 10

# Candidate positions of a name, the nearest first: pixels from its point, and degrees around it.
NEAR, *FURTHER = 14, 32, 55, 85, 120, 160
ANGLES = (0, 180, 90, 270, 45, 135, 225, 315)


def draw_speed_accuracy(path: str | os.PathLike, rows: Sequence[Mapping], title: str) -> None:
    """Write a PNG of rows of :mod:`segkd_mm.results.speed_accuracy`, with a panel per data set.

    Rows without a score are left out. Error bars are one standard deviation over seeds.

    Raises:
        ValueError: No row has a score.
    """
    groups = group_by_dataset(rows)
    if not groups:
        raise ValueError(
            f'{path}: no model has an mIoU to draw; test one with `{command("test")}`.'
        )
    with chart(path, WIDTH, HEIGHT * len(groups)) as figure:
        panels = figure.subplots(len(groups), squeeze=False)[:, 0]
        for axes, (data, group) in zip(panels, groups.items(), strict=True):
            axes.set_title(f'{data}; {title}', fontsize=12)
            _points(axes, group)
            _front(axes, group)
            _axis_of_time(axes, group)
        _legend(figure, rows)
        figure.draw_without_rendering()  # fixes the layout before names are placed
        for axes, group in zip(panels, groups.values(), strict=True):
            _names(axes, group)


def _points(axes: Axes, rows: Sequence[Mapping]) -> None:
    bars = {'elinewidth': 1.2, 'capsize': 3}
    for row in rows:
        colour, layer = (FRONT, 3) if row['pareto'] else (MUTED, 2)
        std = row['mIoU']['std']
        axes.errorbar(
            *latency_and_miou(row), std, fmt='o', ms=MARKER, color=colour, zorder=layer, **bars
        )
    axes.set_ylabel('mIoU (%)')
    axes.margins(0.12)


def _front(axes: Axes, rows: Sequence[Mapping]) -> None:
    corners = sorted(latency_and_miou(row) for row in rows if row['pareto'])
    axes.step(*zip(*corners, strict=True), where='post', color=FRONT, linewidth=1.5, zorder=1)


def _axis_of_time(axes: Axes, rows: Sequence[Mapping]) -> None:
    axes.set_xlabel('latency to labels (ms)')
    times = [latency_and_miou(row)[0] for row in rows]
    if max(times) > 10 * min(times):
        axes.set_xscale('log')
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter(StrMethodFormatter('{x:g}'))
        axes.xaxis.set_minor_formatter(NullFormatter())


def _legend(figure: Figure, rows: Sequence[Mapping]) -> None:
    scored = [row for row in rows if row['mIoU']]
    dot = {'marker': 'o', 'markersize': MARKER}
    entries = [Line2D([], [], color=FRONT, **dot, label='Pareto front')]
    if not all(row['pareto'] for row in scored):
        entries.append(Line2D([], [], color=MUTED, linestyle='', **dot, label='dominated'))
    if any(row['mIoU']['std'] is not None for row in scored):
        bar = {'marker': '|', 'markersize': 14, 'linestyle': ''}
        entries.append(
            Line2D([], [], color=FAINT_INK, **bar, label='standard deviation over seeds')
        )
    figure.legend(handles=entries, loc='outside lower center', ncols=3, fontsize=FONT_SIZE)


def _names(axes: Axes, rows: Sequence[Mapping]) -> None:
    """Place each name where it overlaps least with points, bars, the front and other names."""
    occupied = [*(_mark(axes, row) for row in rows), *_front_boxes(axes, rows)]
    for row in sorted(rows, key=lambda row: not row['pareto']):
        name = _name(axes, row)
        box = name.get_window_extent()
        places = {
            (distance, angle): box.translated(*_shift(box, distance, angle))
            for distance, angle in product((NEAR, *FURTHER), ANGLES)
        }
        # min returns the first of equal positions, which is the nearest.
        best = min(places, key=lambda place: _overlap_area(places[place], occupied, axes.bbox))
        name.set_position(_shift(box, *best))
        name.arrow_patch.set_visible(best[0] > NEAR)
        occupied.append(places[best])


def _name(axes: Axes, row: Mapping) -> Annotation:
    """Name centred on its point, with a thin line to the point for when it is moved."""
    colour = INK if row['pareto'] else FAINT_INK
    line = {'arrowstyle': '-', 'color': MUTED, 'linewidth': 0.8, 'shrinkA': 0, 'shrinkB': 9}
    where = {'xytext': (0, 0), 'textcoords': 'offset pixels', 'ha': 'center', 'va': 'center'}
    name, at = short_name(row['config']), latency_and_miou(row)
    return axes.annotate(
        name, at, **where, fontsize=FONT_SIZE, color=colour, arrowprops=line, zorder=4
    )


def _shift(box: Bbox, distance: float, angle: float) -> tuple[float, float]:
    """Offset from the centre of a point to the centre of its name, in pixels."""
    x, y = cos(radians(angle)), sin(radians(angle))
    return x * distance + round(x) * box.width / 2, y * distance + round(y) * box.height / 2


def _overlap_area(box: Bbox, occupied: Sequence[Bbox], inside: Bbox) -> float:
    """Area of a box in pixels that is occupied or outside of the axes."""
    outside = box.width * box.height - _intersection(box, inside)
    return outside + sum(_intersection(box, other) for other in occupied)


def _intersection(one: Bbox, other: Bbox) -> float:
    common = Bbox.intersection(one, other)
    return common.width * common.height if common else 0.0


def _mark(axes: Axes, row: Mapping) -> Bbox:
    """Bounding box of a point with its error bar."""
    (x, y), std = latency_and_miou(row), row['mIoU']['std'] or 0.0
    return Bbox(axes.transData.transform([(x, y - std), (x, y + std)])).padded(MARKER * 1.2)


def _front_boxes(axes: Axes, rows: Sequence[Mapping]) -> Iterator[Bbox]:
    """Bounding boxes of the segments of the front."""
    front = sorted(latency_and_miou(row) for row in rows if row['pareto'])
    for (x, y), (next_x, next_y) in pairwise(front):
        for ends in ([(x, y), (next_x, y)], [(next_x, y), (next_x, next_y)]):
            yield Bbox(axes.transData.transform(ends)).padded(2)
