"""List or copy the configs that came with the package; `segkd print-config` shows one.

Examples:
  segkd configs
  segkd configs --copy configs
"""

from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from pathlib import Path


def add_arguments(parser: ArgumentParser) -> None:
    """The arguments of the command."""
    parser.add_argument('--copy', type=Path, metavar='DIR', help='copy all of them into DIR')
    parser.set_defaults(finish=finish)


def finish(args: Namespace, error: Callable[[str], None]) -> None:
    """Refuse a folder that exists."""
    if args.copy and args.copy.exists():
        error(f'{args.copy} exists already; choose a new folder')
