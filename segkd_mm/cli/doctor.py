"""Check an experiment before a run: faults, warnings and what to change."""

import logging
import sys
import warnings
from argparse import Namespace
from collections.abc import Callable
from dataclasses import asdict
from functools import partial

from rich.markup import escape

from segkd_mm.build_hints import build_hints
from segkd_mm.commands import command
from segkd_mm.config import load_config
from segkd_mm.doctor import (
    Experiment,
    Finding,
    Report,
    accuracy_title,
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


def checks(experiment: Experiment, args: Namespace) -> dict[str, Callable[[], Report]]:
    """The checks by title, in order; the last one trains a few steps."""
    found = {
        'Data': partial(check_data, experiment, None if args.all else args.masks),
        accuracy_title(experiment): partial(check_accuracy, experiment, args.images),
        'Gradient of the labels': partial(check_labels, experiment),
        'Terms': partial(check_taps, experiment),
        'Gradients of the terms': partial(check_gradients, experiment),
        'Cost': partial(check_cost, experiment),
    }
    if not experiment.is_distilled:
        del found['Gradient of the labels'], found['Terms'], found['Gradients of the terms']
    return found


def run_check(title: str, check: Callable[[], Report], failures: dict[str, str]) -> Report:
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


def run(args: Namespace) -> None:
    """Run the command."""
    warnings.filterwarnings('ignore')
    logging.disable(logging.WARNING)  # mmengine writes a page on how each weight was made
    experiment = Experiment(load_config(args.config, args.cfg_options), args.device, args.student)
    reports, failures = [], {}
    for title, check in checks(experiment, args).items():
        reports.append(run_check(title, check, failures))
        print_report(reports[-1], args.all)
    write_result(args.out, {'config': args.config, 'checks': [asdict(r) for r in reports]})
    levels = [finding.level for report in reports for finding in report.findings]
    errors, warned = levels.count('error'), levels.count('warning')
    print(f'\nErrors: {errors}, warnings: {warned}. Result: {args.out}')
    if errors:
        sys.exit(1)
    print(f'Next: {command("train")} {args.config}')
