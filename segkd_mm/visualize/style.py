"""Shared style of all charts, and their atomic saving."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from cycler import cycler
from matplotlib import rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from segkd_mm.files import written_aside
from segkd_mm.visualize.overlays import DPI, FAINT_INK, INK

# Okabe and Ito's colour-blind safe colours, without yellow, which is too pale for lines.
COLOURS = ('#0072B2', '#D55E00', '#009E73', '#CC79A7', '#E69F00', '#56B4E9')
MUTED = '#9AA0A6'
GRID = '#E4E4E4'

STYLE = {
    'font.size': 11,
    'text.color': INK,
    'axes.titlesize': 13,
    'axes.titlelocation': 'left',
    'axes.titlepad': 10,
    'axes.labelcolor': INK,
    'axes.edgecolor': FAINT_INK,
    'axes.spines.top': False,
    'axes.spines.right': False,
    'axes.grid': True,
    'axes.axisbelow': True,
    'axes.prop_cycle': cycler(color=COLOURS),
    'grid.color': GRID,
    'xtick.color': FAINT_INK,
    'ytick.color': FAINT_INK,
    'legend.frameon': False,
}


@contextmanager
def chart(path: str | os.PathLike, width: float, height: float) -> Iterator[Figure]:
    """Yield an empty figure of ``width`` x ``height`` inches; it is saved at the end.

    As a PNG, or as an SVG if ``path`` ends in .svg. The shared style applies inside the block.
    After an error ``path`` is not changed.
    """
    with rc_context(STYLE), written_aside(path) as aside:
        figure = Figure(figsize=(width, height), dpi=DPI, layout='constrained')
        FigureCanvasAgg(figure)
        yield figure
        svg = {'format': 'svg', 'transparent': True, 'metadata': {'Date': None}}
        figure.savefig(aside, **(svg if aside.suffix == '.svg' else {'format': 'png', 'dpi': DPI}))
