"""Training curves of one or several runs: losses, validation scores, learning rate and times."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle, product

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from segkd_mm.results.training_log import TrainingLog, read_log
from segkd_mm.visualize.overlays import FAINT_INK
from segkd_mm.visualize.style import COLOURS, chart

NO_SCORES = ('step', 'iter', 'time', 'data_time')
# Colours are repeated with dashes if there are more curves than colours.
LINES = [(colour, dashes) for dashes, colour in product(('-', '--', ':'), COLOURS)]


@dataclass(frozen=True)
class Panel:
    """A chart: by label, an array [2, N] of iterations and values; N may be 0."""

    title: str
    curves: Mapping[str, np.ndarray]
    smooth: bool = False


def draw_curves(work_dirs: Sequence[str | os.PathLike], path: str | os.PathLike) -> None:
    """Write a PNG of the training curves of a run, or of several runs in the same charts.

    Args:
        work_dirs: Work directories of one or more trainings.
        path: The PNG file.

    Raises:
        FileNotFoundError, ValueError: See :func:`segkd_mm.results.training_log.read_log`.
    """
    logs = {name: read_log(folder) for name, folder in short_names(work_dirs).items()}
    logs = {_with_best_score(name, log): log for name, log in logs.items()}
    panels = panels_of(logs)
    columns = 3 if len(panels) > 4 else 2
    rows = -(-len(panels) // columns)
    with chart(path, 5 * columns, 3.4 * rows + 0.5) as figure:
        grid = figure.subplots(rows, columns, sharex=True, squeeze=False).ravel()
        for axes, panel in zip(grid, panels, strict=False):
            draw_panel(axes, panel)
        for axes in grid[len(panels) :]:
            axes.remove()
        _name_runs(figure, list(logs))


def short_names(work_dirs: Sequence[str | os.PathLike]) -> dict[str, str]:
    """The folders by the shortest part of their paths that distinguishes them."""
    folders = [os.path.abspath(folder) for folder in work_dirs]
    root = os.path.commonpath([os.path.dirname(folder) for folder in folders])
    return {os.path.relpath(folder, root): folder for folder in folders}


def _with_best_score(name: str, log: TrainingLog) -> str:
    _, values = _curve(log.val, 'mIoU')
    return f'{name}: best mIoU {values.max():.1f}' if values.size else name


def panels_of(logs: Mapping[str, TrainingLog]) -> list[Panel]:
    """The panels of one run, or of several in the same panels, by name."""
    return _panels_of_runs(logs) if len(logs) > 1 else _panels_of_run(*logs.values())


def _panels_of_run(log: TrainingLog) -> list[Panel]:
    terms = _terms(log)
    losses = ['loss', *terms] if len(terms) > 1 else ['loss']
    # Reverse alphabetical order: mIoU, mAcc, aAcc.
    scores = sorted(set().union(*log.val) - set(NO_SCORES), reverse=True)
    times = {'in all': 'time', 'waiting for data': 'data_time'}
    seconds = {label: _curve(log.train, key) for label, key in times.items()}
    return [
        Panel('loss', {key: _curve(log.train, key) for key in losses}, smooth=True),
        Panel('validation, %', {key: _curve(log.val, key) for key in scores}),
        Panel('learning rate', {'lr': _curve(log.train, 'lr')}),
        Panel('seconds an iteration', seconds, smooth=True),
    ]


def _panels_of_runs(logs: Mapping[str, TrainingLog]) -> list[Panel]:
    def over_runs(part: str, key: str) -> dict[str, np.ndarray]:
        return {name: _curve(getattr(log, part), key) for name, log in logs.items()}

    return [
        *(Panel(key, over_runs('train', key), True) for key in ('loss', *_shared_terms(logs))),
        Panel('validation mIoU, %', over_runs('val', 'mIoU')),
        Panel('learning rate', over_runs('train', 'lr')),
        Panel('seconds an iteration', over_runs('train', 'time'), True),
        Panel('seconds waiting for data', over_runs('train', 'data_time'), True),
    ]


def _shared_terms(logs: Mapping[str, TrainingLog]) -> list[str]:
    """The losses that all runs have: totals of different terms are not comparable."""
    first, *others = map(_terms, logs.values())
    shared = [term for term in first if all(term in other for other in others)]
    return shared if any(len(terms) > 1 for terms in (first, *others)) else []


def _terms(log: TrainingLog) -> list[str]:
    keys = dict.fromkeys(key for record in log.train for key in record)
    return [key for key in keys if 'loss' in key and key != 'loss']


def _curve(records: Sequence[Mapping[str, float]], key: str) -> np.ndarray:
    points = [(record['iter'], record[key]) for record in records if key in record]
    return np.array(points, dtype=float).reshape(-1, 2).T


def draw_panel(axes: Axes, panel: Panel) -> None:
    """Draw the curves of a panel."""
    for (label, points), (colour, dashes) in zip(panel.curves.items(), cycle(LINES), strict=False):
        iterations, values = points
        style = {'color': colour, 'linestyle': dashes, 'marker': '.' if values.size <= 30 else ''}
        if panel.smooth:
            axes.plot(iterations, values, color=colour, alpha=0.2, linewidth=1)
            values = _smoothed(values)
        axes.plot(iterations, values, label=label, **style)
    axes.set(title=panel.title, xlabel='iteration', xlim=(0, None))
    axes.tick_params(labelbottom=True)
    if not any(points.size for points in panel.curves.values()):
        axes.set_yticks([])
        axes.text(0.5, 0.5, 'none yet', transform=axes.transAxes, ha='center', color=FAINT_INK)


def _smoothed(values: np.ndarray) -> np.ndarray:
    """Moving average over a twentieth of the curve; short curves are not changed."""
    window = np.ones(1 + 2 * (len(values) // 40))
    return np.convolve(values, window, 'same') / np.convolve(np.ones_like(values), window, 'same')


def _name_runs(figure: Figure, names: Sequence[str]) -> None:
    """Show the name of a run as title with a legend per panel, or several names in one legend."""
    if len(names) > 1:
        lines, _ = figure.axes[0].get_legend_handles_labels()
        figure.legend(lines, names, loc='outside lower center', ncols=2)
        return
    figure.suptitle(names[0], x=0.01, ha='left')
    for axes in figure.axes:
        if len(axes.get_legend_handles_labels()[0]) > 1:
            axes.legend(fontsize=9)
