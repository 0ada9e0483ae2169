"""Writing of the report: reads runs, draws charts and pictures, and fills the page."""

import os
import shlex
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from segkd_mm.commands import command
from segkd_mm.files import written_aside
from segkd_mm.results.files import command_line, read_results
from segkd_mm.results.speed_accuracy import table_rows
from segkd_mm.results.tables import cell_text
from segkd_mm.version import __version__
from segkd_mm.visualize.report import tables
from segkd_mm.visualize.report.browser import Browser, layers, make_browser
from segkd_mm.visualize.report.charts import curve_charts, speed_chart
from segkd_mm.visualize.report.runs import Run, read_runs

PAGE = Path(__file__).with_name('page')
BENCHMARK = 'benchmark.json'
MINUS, DASH = '\N{MINUS SIGN}', '\N{EN DASH}'


def write_report(
    work_dirs: Sequence[str | os.PathLike], path: str | os.PathLike, images: int = 200
) -> None:
    """Write the HTML report of one training or of several.

    Args:
        work_dirs: Their work directories.
        path: The HTML file.
        images: At most so many images are shown.

    Raises:
        FileNotFoundError, OSError, ValueError: A folder is no work directory, or a file in it is
            damaged.
    """
    runs = read_runs(work_dirs)
    browser = make_browser(runs, images)
    page = environment().get_template('report.html')
    with written_aside(path) as aside, aside.open('w', encoding='utf-8') as file:
        page.stream(**content(runs, browser)).dump(file)


def environment() -> Environment:
    """jinja2 with the files of the page; all text is escaped."""
    made = Environment(
        loader=FileSystemLoader(PAGE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(number=number, signed=signed, cell=cell_text)
    made.globals['asset'] = lambda name: Markup((PAGE / name).read_text(encoding='utf-8'))
    return made


def number(value: float | None, digits: int = 1) -> str:
    """A number with so many digits after the point; a dash for None."""
    return DASH if value is None else f'{value:,.{digits}f}'


def signed(value: float) -> str:
    """A difference with its sign."""
    return f'{value:+.1f}'.replace('-', MINUS)


def content(runs: Sequence[Run], browser: Browser) -> dict:
    """What the page shows, by the names of the template."""
    logs = {run.name: run.log for run in runs if run.log}
    benchmark = find_benchmark(runs)
    return {
        'runs': runs,
        'title': ', '.join(run.name for run in runs),
        'made': f'{datetime.now():%Y-%m-%d %H:%M}',
        'version': __version__,
        'command': command_line(),
        'missing': missing(runs, benchmark is not None),
        'tested': [run for run in runs if run.tested],
        'baseline': tables.baseline(runs),
        'comparable': tables.are_comparable(runs),
        'class_rows': tables.class_rows(runs),
        'versions': {run.name: tables.versions(run) for run in runs},
        'curves': curve_charts(logs) if logs else [],
        'confusions': confusions(browser),
        'benchmark': benchmark,
        'browser': browser,
        'layers': list(layers(browser)),
    }


def confusions(browser: Browser) -> list[dict]:
    """The confusion matrix and the most frequent errors of each run."""
    return [
        {
            'run': name,
            'rows': tables.confusion_rows(confusion),
            'errors': tables.frequent_errors(confusion),
        }
        for name, confusion in browser.confusions.items()
    ]


def find_benchmark(runs: Sequence[Run]) -> dict | None:
    """The benchmark beside or in a work directory, or in work_dirs, with its chart and table.

    Raises:
        ValueError: It is not as segkd benchmark writes it.
    """
    folders = [place for run in runs for place in (run.folder, run.folder.parent)]
    files = [folder / BENCHMARK for folder in [*folders, Path('work_dirs')]]
    file = next((file for file in files if file.is_file()), None)
    if file is None:
        return None
    (result,) = read_results([file])
    return {'file': str(file), **_benchmark(file, result)}


def _benchmark(file: Path, result: Mapping) -> dict:
    try:
        size = 'x'.join(map(str, result['size']))
        title = f'{result["batch"]} x {size} on {result["device"]}, threads: {result["threads"]}'
        rows = table_rows(result['models'])
        svg = speed_chart(result['models'], title)
    except (KeyError, TypeError) as error:
        raise ValueError(
            f'{file}: not a result of segkd benchmark ({error!r}); measure again, or move the file.'
        ) from error
    return {'title': title, 'rows': rows, 'columns': list(rows[0]) if rows else [], 'svg': svg}


def missing(runs: Sequence[Run], has_benchmark: bool) -> list[dict]:
    """What the report could show, and the command that makes it."""
    found = [gap for run in runs for gap in _gaps(run)]
    if not has_benchmark:
        configs = [run.training['config'] for run in runs if run.training]
        how = f'{command("benchmark")} {shlex.join(dict.fromkeys(configs)) or "CONFIG"}'
        found.append({'what': 'Speed has not been measured', 'how': how})
    return found


def _gaps(run: Run) -> Iterator[dict]:
    pictures = f'--pictures {shlex.quote(_shown(run.folder / "pictures"))}'
    if run.log is None:
        yield {'what': f'{run.name}: no log of a training, so no curves', 'how': ''}
    if run.tested is None:
        yield {'what': f'{run.name}: not tested', 'how': f'{_test(run)} {pictures}'}
    elif run.label_maps is None and 'pictures' in run.tested:
        what = f'{run.name}: its pictures are not in {run.tested["pictures"]}'
        yield {'what': what, 'how': run.tested['command']}
    elif run.label_maps is None:
        yield {
            'what': f'{run.name}: tested without pictures',
            'how': f'{run.tested["command"]} {pictures}',
        }


def _test(run: Run) -> str:
    """The command that tests a run, with the data of its training."""
    training = run.training or {'config': 'CONFIG', 'command': ''}
    words = [training['config'], _shown(run.folder / 'best.pth')]
    data = [word for word in shlex.split(training['command']) if word.startswith('data_root=')]
    return f'{command("test")} {shlex.join([*words, *(["--cfg-options", *data] if data else [])])}'


def _shown(path: Path) -> str:
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)
