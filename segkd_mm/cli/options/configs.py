"""List, show or copy the configs that came with the package.

Examples:
  segkd configs
  segkd configs --show kd/cwd_camvid.py --cfg-options optim_wrapper.optimizer.lr=5e-4 > mine.py
  segkd configs --copy configs
"""

from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from pathlib import Path

from segkd_mm.cli import arguments


def add_arguments(parser: ArgumentParser) -> None:
    """The arguments of the command."""
    action = parser.add_mutually_exclusive_group()
    action.add_argument(
        '--show', metavar='CONFIG', help='print one, resolved into a single file: a config itself'
    )
    action.add_argument('--copy', type=Path, metavar='DIR', help='copy all of them into DIR')
    arguments.add_cfg_options(parser, '; for --show')
    parser.set_defaults(finish=finish)


def finish(args: Namespace, error: Callable[[str], None]) -> None:
    """Refuse what does not go together."""
    if args.cfg_options and not args.show:
        error('--cfg-options goes with --show')
    if args.copy and args.copy.exists():
        error(f'{args.copy} exists already; choose a new folder')
