"""Charts of the classes of a test run: IoU per class, and the confusion matrix."""

import math
import os
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap

from segkd_mm.visualize.overlays import FAINT_INK, INK
from segkd_mm.visualize.style import COLOURS, GRID, MUTED, chart

BAR = '#8FBFE3'
# Light, so that dark digits are readable on all shades.
SHADES = LinearSegmentedColormap.from_list('shades', ['#FFFFFF', BAR]).with_extremes(bad=GRID)


def class_chart(path: str | os.PathLike, scores: Sequence[Mapping]) -> None:
    """Write a PNG bar chart of each class's IoU, best first, and its share of the pixels.

    Args:
        path: The PNG file.
        scores: From :func:`segkd_mm.evaluation.class_scores`. Classes without an IoU, in neither
            masks nor predictions, are last.
    """
    rows = sorted(scores, key=lambda row: np.nan_to_num(row['IoU'], nan=-1), reverse=True)
    with chart(path, width=10, height=1.3 + 0.3 * len(rows)) as figure:
        left, right = figure.subplots(1, 2, sharey=True, width_ratios=[3, 1])
        figure.get_layout_engine().set(wspace=0.05)
        _score_bars(left, rows)
        _share_bars(right, rows)
        for axes in (left, right):
            axes.grid(False, axis='y')
            axes.tick_params(axis='y', length=0, pad=12)
            axes.margins(y=0.4 / len(rows))
        left.invert_yaxis()  # the right axes share it


def _score_bars(axes: Axes, rows: Sequence[Mapping]) -> None:
    places = range(len(rows))
    iou, recall, precision = ([row[key] for row in rows] for key in ('IoU', 'recall', 'precision'))
    # A ring around a dot, so that both are visible if they coincide.
    marks = {'linestyle': 'none', 'marker': 'o', 'clip_on': False}
    handles = {
        'IoU': axes.barh(places, iou, height=0.66, color=BAR),
        f'mean IoU {np.nanmean(iou):.1f}': axes.axvline(np.nanmean(iou), color=INK, ls='--', lw=1),
        'recall': axes.plot(recall, places, ms=9, mew=1.6, mfc='none', mec=COLOURS[1], **marks)[0],
        'precision': axes.plot(precision, places, ms=4.5, color=COLOURS[2], **marks)[0],
    }
    axes.figure.legend(handles.values(), handles, loc='outside lower center', ncols=len(handles))
    axes.set_yticks(places, [f'{row["class"]}  {_number(row["IoU"])}' for row in rows], color=INK)
    axes.set(xlim=(0, 100), title='IoU by class, %')


def _share_bars(axes: Axes, rows: Sequence[Mapping]) -> None:
    shares = [row['share'] for row in rows]
    bars = axes.barh(range(len(rows)), shares, height=0.66, color=MUTED)
    axes.bar_label(bars, map(_number, shares), padding=3, color=FAINT_INK)
    axes.margins(x=0.25)
    axes.set(xticks=[], title='share of pixels, %')
    axes.spines['bottom'].set_visible(False)


def _number(percent: float) -> str:
    return '-' if math.isnan(percent) else f'{percent:.1f}'


def confusion_chart(path: str | os.PathLike, confusion: np.ndarray, classes: Sequence[str]) -> None:
    """Write a PNG of a confusion matrix, in percent of the pixels of the true class.

    Args:
        path: The PNG file.
        confusion: Pixel counts [C, C]; rows are true classes, columns predicted ones.
        classes: The C class names.
    """
    with np.errstate(invalid='ignore'):
        percent = 100 * confusion / confusion.sum(1, keepdims=True)
    side = max(2.5, 0.38 * len(classes)) + 1.1 + 0.085 * max(map(len, classes))
    with chart(path, side, side) as figure:
        axes = figure.subplots()
        axes.imshow(percent, cmap=SHADES, vmin=0, vmax=100)
        _name_cells(axes, classes)
        note = ' (grey: no pixels)' if np.isnan(percent).any() else ''
        axes.set(xlabel='predicted class', ylabel=f'true class{note}', title='% of the true class')
        for row, column in np.argwhere(percent >= 1):
            text = f'{percent[row, column]:.0f}'
            axes.text(column, row, text, ha='center', va='center', fontsize=9)


def _name_cells(axes: Axes, classes: Sequence[str]) -> None:
    places = np.arange(len(classes))
    axes.set_xticks(places, classes, rotation=90, color=INK)
    axes.set_yticks(places, classes, color=INK)
    axes.set_xticks(places[1:] - 0.5, minor=True)
    axes.set_yticks(places[1:] - 0.5, minor=True)
    axes.tick_params(which='both', length=0)
    axes.grid(False)
    axes.grid(which='minor', color='white', linewidth=1.5)
    axes.spines[:].set_visible(False)
