"""The chart of times: how long each model takes from an image to its labels, and what for."""

import os
from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes

from segkd_mm.results.speed_accuracy import short_name
from segkd_mm.visualize.overlays import INK
from segkd_mm.visualize.style import COLOURS, GRID, chart

NETWORK, REST, MMSEG = COLOURS[0], COLOURS[4], GRID


def draw_latency(path: str | os.PathLike, rows: Sequence[Mapping], title: str) -> None:
    """Write a PNG with a bar of latency for each row of a benchmark, the fastest first.

    A bar is the network up to its logits, then normalisation and labels, then what mmseg's way
    takes more; of a model that gives labels itself, all is the network. A mark is the floor.
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
    whole = [row['labels']['median_ms'] for row in rows]
    usual = [_ms(row, 'mmseg', ms) for row, ms in zip(rows, whole, strict=True)]
    network = [min(_ms(row, 'logits', ms), ms) for row, ms in zip(rows, whole, strict=True)]
    # One over the other, the longest first: no differences that noise could make negative.
    longest = [max(pair) for pair in zip(usual, whole, strict=True)]
    axes.barh(places, longest, height=0.66, color=MMSEG, label="more in mmseg's way")
    axes.barh(places, whole, height=0.66, color=REST, label='normalisation, labels')
    axes.barh(places, network, height=0.66, color=NETWORK, label='network')
    for place, row, ms, end in zip(places, rows, whole, longest, strict=True):
        mmseg = f'   mmseg {row["mmseg"]["median_ms"]:.1f}' if row.get('mmseg') else ''
        axes.text(end, place, f'  {ms:.1f}{mmseg}', va='center', color=INK)
    axes.set_xlim(0, 1.35 * max(longest))  # room for the numbers


def _ms(row: Mapping, way: str, otherwise: float) -> float:
    return row[way]['median_ms'] if row.get(way) else otherwise


def _floors(axes: Axes, rows: Sequence[Mapping]) -> None:
    known = [(place, row['floor_ms']) for place, row in enumerate(rows) if row.get('floor_ms')]
    if known:
        places, floors = zip(*known, strict=True)
        mark = {'marker': '|', 'markersize': 18, 'markeredgewidth': 2, 'linestyle': 'none'}
        axes.plot(floors, places, color=INK, label="the machine's floor", **mark)
