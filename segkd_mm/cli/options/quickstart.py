"""Train a first student with few labels and a teacher, in minutes, without a download.

Draws scenes (the data set `shapes`, which makes itself) and trains three models on them: a teacher
on all labels; the plain student on one image in ten, with its label; and the distilled student on
the same labels and, without labels, the rest of the images, with the teacher's predictions. Then
prints what each reaches on test images, and writes a picture of what the students predict. Stopped,
it goes on where it was when started again.
"""

from argparse import ArgumentParser
from pathlib import Path

from segkd_mm.cli import arguments


def add_arguments(parser: ArgumentParser) -> None:
    """The arguments of the command."""
    parser.add_argument(
        '--work-dir', type=Path, default='work_dirs/quickstart', help='default: %(default)s'
    )
    parser.add_argument(
        '--seed', type=arguments.seed, default=0, help='of the trainings (default: 0)'
    )
    arguments.add_epochs(parser)
