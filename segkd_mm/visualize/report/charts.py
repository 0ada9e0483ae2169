"""Charts of the report as SVG inside the page, with their values as text beside them."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

from markupsafe import Markup
from matplotlib import rc_context

from segkd_mm.results.speed_accuracy import group_by_dataset
from segkd_mm.results.training_log import TrainingLog
from segkd_mm.visualize.curves import Panel, draw_panel, panels_of
from segkd_mm.visualize.overlays import FAINT_INK, INK
from segkd_mm.visualize.speed_accuracy import draw_speed_accuracy
from segkd_mm.visualize.style import COLOURS, GRID, chart

# Text stays text; a $ in a name is no formula.
SVG = {'svg.fonttype': 'none', 'svg.hashsalt': 'segkd', 'text.parse_math': False}
SIZE = 5.2, 3.1  # inches of a panel of curves
# Colours that follow the theme of the page.
THEME = {
    INK: 'var(--ink)',
    FAINT_INK: 'var(--faint)',
    GRID: 'var(--line)',
    COLOURS[0]: 'var(--first)',
}
ROWS = 12  # of the table of a curve


@dataclass(frozen=True)
class Chart:
    """A chart: its title, what it says in a sentence, the SVG, and its values as table rows."""

    title: str
    summary: str
    svg: Markup
    rows: Sequence[Mapping[str, object]]


def curve_charts(logs: Mapping[str, TrainingLog]) -> list[Chart]:
    """The training curves of runs by name, without those of times."""
    panels = [panel for panel in panels_of(logs) if not panel.title.startswith('seconds')]
    return [_curve_chart(panel) for panel in panels if _has_points(panel)]


def _has_points(panel: Panel) -> bool:
    return any(points.size for points in panel.curves.values())


def _curve_chart(panel: Panel) -> Chart:
    return Chart(
        panel.title, panel_summary(panel), inline_svg(partial(_draw, panel)), panel_rows(panel)
    )


def _draw(panel: Panel, path: Path) -> None:
    with chart(path, *SIZE) as figure:
        axes = figure.subplots()
        draw_panel(axes, panel)
        axes.set_title('')
        if len(panel.curves) > 1:
            axes.legend(fontsize=9)


def panel_summary(panel: Panel) -> str:
    """The first and the last value of each curve, and the largest of a validation score."""
    parts = []
    for label, (iterations, values) in panel.curves.items():
        if values.size:
            best = f', at most {values.max():.4g}' if panel.title.startswith('validation') else ''
            parts.append(
                f'{label}: {values[0]:.4g} at iteration {iterations[0]:.0f}, '
                f'{values[-1]:.4g} at {iterations[-1]:.0f}{best}'
            )
    return '; '.join(parts)


def panel_rows(panel: Panel) -> list[dict]:
    """About ``ROWS`` iterations of each curve, the last among them."""
    rows: dict[float, dict] = {}
    for label, (iterations, values) in panel.curves.items():
        step = max(1, len(values) // ROWS)
        places = [*range(len(values) - 1, -1, -step)][::-1]
        for place in places:
            row = rows.setdefault(iterations[place], {'iteration': int(iterations[place])})
            row[label] = f'{values[place]:.4g}'
    return [rows[iteration] for iteration in sorted(rows)]


def speed_chart(rows: Sequence[Mapping], title: str) -> Markup | None:
    """mIoU over latency; None if no model has an mIoU."""
    if not group_by_dataset(rows):
        return None
    return inline_svg(partial(draw_speed_accuracy, rows=rows, title=title))


def inline_svg(draw: Callable[[Path], None]) -> Markup:
    """What ``draw(path)`` draws, as an SVG element whose colours follow the page."""
    with TemporaryDirectory() as folder, rc_context(SVG):
        path = Path(folder, 'chart.svg')
        draw(path)
        text = path.read_text(encoding='utf-8')
    svg = text[text.index('<svg') :]
    return Markup(themed(svg, f'c{sha256(svg.encode()).hexdigest()[:8]}-'))


def themed(svg: str, prefix: str) -> str:
    """An SVG with the page's colours and font, scaled to its place, hidden from screen readers.

    Ids get a prefix, as several charts are in one page.
    """
    svg = re.sub(r'<metadata>.*?</metadata>', '', svg, flags=re.DOTALL)
    svg = re.sub(r'(<svg[^>]*?) width="[^"]*"', r'\1', svg, count=1)
    svg = re.sub(r'(<svg[^>]*?) height="[^"]*"', r'\1 aria-hidden="true"', svg, count=1)
    svg = re.sub(r'\bid="', f'id="{prefix}', svg)
    svg = re.sub(r'(url\(#|href="#)', rf'\1{prefix}', svg)
    svg = re.sub(r"'DejaVu Sans'[^;\"]*", 'inherit', svg)
    for colour, variable in THEME.items():
        svg = re.sub(re.escape(colour), variable, svg, flags=re.IGNORECASE)
    return svg
