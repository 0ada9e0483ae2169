"""Compare configs fairly: the same seeds, each trained and tested once, the noise in the table.

Examples:
  tools/compare.py configs/leaderboard/camvid/*.py --seeds 0 1 2 --results results/camvid
  tools/compare.py CONFIG... --seeds 0 1 2 --results results/camvid --check

What has no result in RESULTS/<config>/<seed>.json is trained (in work_dirs/compare), seed by seed;
then the last weights, not those of the best validation, are tested on the test split, once.
Stopped, it goes on where it was when started again. A run that fails does not stop the others.
"""

import argparse
import logging
import signal
import sys
from pathlib import Path

from rich import print as show

from segkd_mm.comparing.cells import Cell, Method, cells_of, check_hashes
from segkd_mm.comparing.schedule import Outcome, cuda_devices, run_cells
from segkd_mm.comparing.teacher import test_teacher
from segkd_mm.comparing.training import Execute, run_cell
from segkd_mm.comparing.watch import Watch

WORK_DIRS = Path('work_dirs/compare')


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        'configs', nargs='+', metavar='CONFIG',
        help='config files, or names of `python -m segkd_mm configs`',
    )  # fmt: skip
    parser.add_argument(
        '--results', type=Path, required=True, metavar='DIR',
        help='results of this data set, such as results/camvid',
    )  # fmt: skip
    parser.add_argument('--seeds', type=int, nargs='+', default=[0, 1, 2], help='default: 0 1 2')
    parser.add_argument(
        '--jobs', type=int, default=max(len(cuda_devices()), 1), metavar='N',
        help='trainings at once, which share the cores (default: one a GPU, else 1)',
    )  # fmt: skip
    parser.add_argument('--check', action='store_true', help='only say what is to be run')
    parser.add_argument(
        '--cfg-options', nargs='+', default=[], metavar='KEY=VALUE',
        help='override the configs; data_root=DIR reaches every data set, and model.teacher.* '
        'those configs that have a teacher',
    )  # fmt: skip
    return parser.parse_args()


def run_missing(cells: list[Cell], jobs: int) -> Outcome:
    """Run the cells without a result."""
    results, methods = cells[0].result.parents[1], {cell.method.name: cell.method for cell in cells}
    teachers = {name: test_teacher(method.config, results) for name, method in methods.items()}

    def run(cell: Cell, execute: Execute) -> dict:
        return run_cell(cell, execute, teachers[cell.method.name])

    with Watch(len(cells), jobs) as watch:
        return run_cells(cells, jobs, run, watch)


def report(outcome: Outcome) -> None:
    """Say what has no result, and why."""
    for name, why in outcome.failed.items():
        print(f'\n{name} failed. {why}')
    if outcome.elsewhere:
        print(f'\nAnother process runs {", ".join(outcome.elsewhere)}: start again later.')


def main() -> int:
    """Run the command line; gives out 1 where a run failed."""
    args = parse_args()
    logging.disable(logging.WARNING)  # mmengine writes a page on how each weight was made
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # stops what runs, as Ctrl-C does
    methods = [Method.of(path, args.cfg_options) for path in args.configs]
    cells = cells_of(methods, args.seeds, args.results, WORK_DIRS)
    check_hashes(cells)
    missing = [cell for cell in cells if not cell.is_done]
    print(f'{len(cells) - len(missing)} of {len(cells)} results are there.')
    if args.check:
        show(*(f'to run: {cell.name}' for cell in missing), sep='\n')
        return 0
    outcome = run_missing(missing, args.jobs) if missing else Outcome()
    report(outcome)
    return 1 if outcome.failed else 0


if __name__ == '__main__':
    sys.exit(main())
