"""Check an experiment before a run: faults, warnings and what to change.

Examples:
  tools/doctor.py configs/kd/feature_kd_voc.py --cfg-options data_root=/data/VOC2012
  tools/doctor.py configs/kd/cwd_camvid.py --student work_dirs/mnv3s_slim_camvid/best.pth
  tools/doctor.py my_experiment.py --all

Checks that the data are there, labels are in range and how the classes are balanced; the teacher's
mIoU beside the student's; whether images without labels make the labels' loss smaller; what the
terms compare, and how hard each pulls beside the labels; and what the run will cost in time and
memory. It writes nothing but its result file. The exit status is
1 if there is an error: something that makes the run fail or teach nothing.
"""

import argparse
import logging
import sys
import warnings
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path

from rich.markup import escape

from segkd_mm.build_hints import build_hints
from segkd_mm.cli import arguments
from segkd_mm.config import load_config
from segkd_mm.doctor import (
    Experiment,
    Finding,
    Report,
    check_accuracy,
    check_cost,
    check_data,
    check_gradients,
    check_labels,
    check_taps,
)
from segkd_mm.results.files import write_result
from segkd_mm.results.tables import console_table, wide_console

COLOURS = {'ok': 'green', 'note': 'cyan', 'warning': 'yellow', 'error': 'red'}


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = arguments.parser(__doc__)
    arguments.add_config(parser)
    parser.add_argument(
        '--student', metavar='CKPT', help='look at this student (default: as training starts)'
    )
    parser.add_argument(
        '--images', type=int, default=20, help='validation images for the mIoU (default: 20)'
    )
    parser.add_argument(
        '--masks', type=int, default=200, help='samples of each split to look at (default: 200)'
    )
    parser.add_argument(
        '--all', action='store_true', help='look at all samples, and list each faulty file'
    )
    arguments.add_device(parser)
    parser.add_argument(
        '--out', metavar='JSON', help='result file (default: work_dirs/CONFIG_NAME/doctor.json)'
    )
    arguments.add_cfg_options(parser)
    args = parser.parse_args()
    args.out = args.out or f'work_dirs/{Path(args.config).stem}/doctor.json'
    return args


def checks(experiment: Experiment, args: argparse.Namespace) -> dict[str, Callable[[], Report]]:
    """The checks by title, in order; the last one trains a few steps."""
    found = {
        'Data': partial(check_data, experiment, None if args.all else args.masks),
        'Accuracy of the teacher': partial(check_accuracy, experiment, args.images),
        'Gradient of the labels': partial(check_labels, experiment),
        'Terms': partial(check_taps, experiment),
        'Gradients of the terms': partial(check_gradients, experiment),
        'Cost': partial(check_cost, experiment),
    }
    if not experiment.is_distilled:
        del found['Gradient of the labels'], found['Terms'], found['Gradients of the terms']
    return found


def run(title: str, check: Callable[[], Report], failures: dict[str, str]) -> Report:
    """Run a check; an exception becomes an error in its report, once for all checks."""
    try:
        with build_hints():
            report = check()
        # Whatever loads one of these files next fails by the same error.
        failures.update({f'SampleError: {_message(file)}': title for file in report.files})
        return report
    except Exception as error:  # whatever would end the run is what the user came to hear of
        text = f'{type(error).__name__}: {error}'
    if text in failures:
        return Report(title, findings=[Finding('note', f'Not checked: see {failures[text]}.')])
    failures[text] = title
    return Report(title, findings=[Finding('error', text)])


def _message(file: dict[str, str]) -> str:
    """The text of the error of a faulty file in a report."""
    found, expected, advice = file['found'], file['expected'], file['what to do']
    return f'{file["file"]}: found {found}, expected {expected}. {advice}'


def print_report(report: Report, with_files: bool) -> None:
    """Print the tables and the findings of a check."""
    show = wide_console().print
    show(f'\n[bold]{escape(report.title)}[/bold]')
    if report.rows:
        show(console_table(report.rows))
    if report.files and with_files:
        show(console_table(report.files, title='Faulty files'))
    for finding in report.findings:
        colour = COLOURS[finding.level]
        show(f'[{colour}]{finding.level:>7}[/{colour}]  {escape(finding.text)}')
        if finding.advice:
            show(f'         {escape(finding.advice)}')


def main() -> None:
    """Run the command line."""
    args = parse_args()
    warnings.filterwarnings('ignore')
    logging.disable(logging.WARNING)  # mmengine writes a page on how each weight was made
    experiment = Experiment(load_config(args.config, args.cfg_options), args.device, args.student)
    reports, failures = [], {}
    for title, check in checks(experiment, args).items():
        reports.append(run(title, check, failures))
        print_report(reports[-1], args.all)
    write_result(args.out, {'config': args.config, 'checks': [asdict(r) for r in reports]})
    levels = [finding.level for report in reports for finding in report.findings]
    print(
        f'\n{levels.count("error")} errors, {levels.count("warning")} warnings. Result: {args.out}'
    )
    if 'error' in levels:
        sys.exit(1)
    print(f'Next: python tools/train.py {args.config}')
