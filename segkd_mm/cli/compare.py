"""Train and test several configs over several seeds, and tabulate the gains with their spread."""

import logging
import signal
from argparse import Namespace
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import mean

from segkd_mm.results.files import read_results, write_result
from segkd_mm.results.runs.caches import cache_makers
from segkd_mm.results.runs.cells import Cell, Method, check_hashes, make_cells
from segkd_mm.results.runs.progress import RunProgress, clock
from segkd_mm.results.runs.scheduler import Outcome, cuda_devices, run_cells
from segkd_mm.results.runs.teacher_score import test_teacher
from segkd_mm.results.runs.training import Execute, run_cell
from segkd_mm.results.speed_accuracy import tested_images
from segkd_mm.results.statistics import leaderboard_rows, table_rows
from segkd_mm.results.tables import console_table, wide_console
from segkd_mm.visualize.leaderboard import draw_class_gains, draw_leaderboard

WORK_DIRS = Path('work_dirs/compare')


def stop_cleanly() -> None:
    """Make SIGTERM stop the trainings that this process started, as Ctrl-C does."""
    for number in (signal.SIGTERM, getattr(signal, 'SIGHUP', signal.SIGTERM)):  # not on Windows
        if signal.getsignal(number) == signal.SIG_DFL:  # nohup ignores SIGHUP
            signal.signal(number, signal.default_int_handler)


def baseline_of(args: Namespace, methods: Sequence[Method]) -> str:
    """The name of the method that the others are compared with.

    Raises:
        ValueError: It is not among the configs.
    """
    plain = [method.name for method in methods if method.config.model.type != 'SegDistiller']
    name = Path(args.baseline).stem if args.baseline else (plain or [methods[0].name])[0]
    if name not in [method.name for method in methods]:
        raise ValueError(f'The baseline {args.baseline} is not among the configs; add it to them.')
    return name


def run_missing(cells: Sequence[Cell], makers: Mapping[str, Method], jobs: int) -> Outcome:
    """Test the teachers of cells without a result, and run the cells; see :func:`cache_makers`."""
    teachers, failed = {}, {}
    for method in {cell.method.name: cell.method for cell in cells}.values():
        try:
            teachers[method.name] = test_teacher(method.config, cells[0].result.parents[1])
        except Exception as error:  # whatever it is, the others go on
            failed[f'The teacher of {method.name}'] = f'{type(error).__name__}: {error}'

    def run(cell: Cell, execute: Execute) -> dict:
        name = cell.method.name
        return run_cell(cell, execute, teachers[name], makers.get(name))

    cells = [cell for cell in cells if cell.method.name in teachers]
    with RunProgress(len(cells), jobs) as progress:
        outcome = run_cells(cells, jobs, run, progress)
    outcome.failed.update(failed)
    return outcome


def report_plan(cells: Sequence[Cell], missing: Sequence[Cell], jobs: int) -> None:
    """Print what will be run and, where similar runs have finished, how long it takes."""
    for cell in missing:
        print(f'To run: {cell.name}')
    done = [cell for cell in cells if cell.is_done]
    took = {}
    for cell, result in zip(done, read_results(cell.result for cell in done), strict=True):
        took.setdefault(cell.method.name, []).append(result['train_seconds'])
    if took and missing:
        usual = mean(map(mean, took.values()))
        seconds = sum(mean(took.get(cell.method.name, [usual])) for cell in missing)
        print(f'About {clock(seconds / jobs)}, by the training time of the results that are there.')


def report_missing(outcome: Outcome) -> None:
    """Print which runs have no result, and why."""
    for name, why in outcome.failed.items():
        print(f'\n{name} failed: {why}')
    if outcome.already_running:
        print(f'\nAnother process runs {", ".join(outcome.already_running)}; start again later.')


def report(cells: Sequence[Cell], baseline: str, out: Path) -> None:
    """Print, write and draw the table of the results."""
    results = {cell.method.name: {} for cell in cells}
    for cell in cells:
        if cell.is_done:
            (results[cell.method.name][cell.seed],) = read_results([cell.result])
    rows = leaderboard_rows(results, baseline)
    if not rows:
        print('There is no result yet.')
        return
    data = tested_images(next(result for found in results.values() for result in found.values()))
    table = table_rows(rows)
    written = {'data': data, 'baseline': baseline, 'rows': [*map(asdict, rows)], 'table': table}
    write_result(out, written)
    draw_leaderboard(out.with_suffix('.png'), rows, data)
    wide_console().print(console_table(table, title=f'{data}, gains over {baseline}'))
    print(f'Result: {out}, {out.with_suffix(".png")}')
    if any(row.gain for row in rows):
        classes = out.with_name(f'{out.stem}_classes.png')
        draw_class_gains(classes, rows)
        print(f'Classes: {classes}')


def run(args: Namespace) -> int:
    """Run the command; gives out 1 where a run failed, 130 when it was stopped."""
    logging.disable(logging.WARNING)  # mmengine writes a page on how each weight was made
    stop_cleanly()
    jobs = args.jobs or max(len(cuda_devices()), 1)
    methods = [Method.load(path, args.cfg_options, args.epochs) for path in args.configs]
    baseline = baseline_of(args, methods)
    cells = make_cells(methods, args.seeds, args.results, WORK_DIRS)
    check_hashes(cells)
    missing = [cell for cell in cells if not cell.is_done]
    print(f'{len(cells) - len(missing)} of {len(cells)} results are there.')
    makers = cache_makers(cell.method for cell in missing)
    outcome = Outcome()
    try:
        if args.check:
            report_plan(cells, missing, jobs)
        elif missing:
            outcome = run_missing(missing, makers, jobs)
    except KeyboardInterrupt:
        print('Stopped. It goes on where it was when it is started again.')
        return 130
    report(cells, baseline, args.results / f'{args.name}.json')
    report_missing(outcome)
    return 1 if outcome.failed else 0
