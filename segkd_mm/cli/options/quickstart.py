"""Train and distil a first student in minutes, without a download.

Trains a small teacher, the plain student, and the student distilled from that teacher, on drawn
scenes (the data set `shapes`, which makes itself). Then prints what each reaches and costs, and
writes a picture of their predictions side by side. Stopped, it goes on where it was when started
again.
"""

from argparse import ArgumentParser
from pathlib import Path

from segkd_mm.cli import arguments


def add_arguments(parser: ArgumentParser) -> None:
    """The arguments of the command."""
    parser.add_argument(
        '--work-dir', type=Path, default='work_dirs/quickstart', help='default: %(default)s'
    )
    parser.add_argument('--seed', type=int, default=0, help='of the trainings (default: 0)')
    arguments.add_epochs(parser)
