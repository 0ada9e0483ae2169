"""Chart of latencies: the time of each model from image to label map, by part."""

import os
from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes

from segkd_mm.results.speed_accuracy import short_name
from segkd_mm.visualize.overlays import INK
from segkd_mm.visualize.style import COLOURS, GRID, chart

NETWORK, REST, MMSEG = COLOURS[0], COLOURS[4], GRID


def draw_latency(path: str | os.PathLike, rows: Sequence[Mapping], title: str) -> None:
    """Write a PNG with a bar of latency for each row of a benchmark, the fastest first.

    The parts of a bar are the network up to its logits, normalisation and label map, and the
    additional time of mmseg's label maps. For a model that gives labels, all is network. A mark is
    the latency floor.
    """
    rows = sorted(rows, key=lambda row: row['labels']['median_ms'])
    with chart(path, width=10, height=1.6 + 0.36 * len(rows)) as figure:
        axes = figure.subplots()
        _bars(axes, rows)
        _floors(axes, rows)
        axes.set_yticks(range(len(rows)), [short_name(row['config']) for row in rows], color=INK)
        axes.set(title=title, xlabel='ms')
        axes.grid(False, axis='y')
        axes.tick_params(axis='y', length=0)
        axes.invert_yaxis()
        handles, labels = axes.get_legend_handles_labels()
        figure.legend(handles[::-1], labels[::-1], loc='outside lower center', ncols=4)


def _bars(axes: Axes, rows: Sequence[Mapping]) -> None:
    places = range(len(rows))
    total = [row['labels']['median_ms'] for row in rows]
    mmseg = [_ms(row, 'mmseg', ms) for row, ms in zip(rows, total, strict=True)]
    network = [min(_ms(row, 'logits', ms), ms) for row, ms in zip(rows, total, strict=True)]
    # Drawn over one another, the longest first: differences could be negative by noise.
    longest = [max(pair) for pair in zip(mmseg, total, strict=True)]
    axes.barh(places, longest, height=0.66, color=MMSEG, label="more in mmseg's way")
    axes.barh(places, total, height=0.66, color=REST, label='normalisation, labels')
    axes.barh(places, network, height=0.66, color=NETWORK, label='network')
    for place, row, ms, end in zip(places, rows, total, longest, strict=True):
        of_mmseg = f'   mmseg {row["mmseg"]["median_ms"]:.1f}' if row.get('mmseg') else ''
        axes.text(end, place, f'  {ms:.1f}{of_mmseg}', va='center', color=INK)
    axes.set_xlim(0, 1.35 * max(longest))  # room for the numbers


def _ms(row: Mapping, key: str, default: float) -> float:
    return row[key]['median_ms'] if row.get(key) else default


def _floors(axes: Axes, rows: Sequence[Mapping]) -> None:
    marks = [(place, row['floor_ms']) for place, row in enumerate(rows) if row.get('floor_ms')]
    if marks:
        places, floors = zip(*marks, strict=True)
        style = {'marker': '|', 'markersize': 18, 'markeredgewidth': 2, 'linestyle': 'none'}
        axes.plot(floors, places, color=INK, label="the machine's floor", **style)
