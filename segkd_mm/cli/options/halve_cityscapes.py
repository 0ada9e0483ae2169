"""Resize Cityscapes to 1024 x 512 once, so that trainings do not read full-size images.

Example:
  segkd halve-cityscapes /data/cityscapes data/cityscapes_half

SRC is the folder in which the official leftImg8bit_trainvaltest.zip and gtFine_trainvaltest.zip are
unpacked. DST gets the images of all splits and, in the ids of the 19 classes, the labels of train
and val (those of test are not public). All files are PNG, which keeps the images as they are; count
on 4 GB. Stopped, it goes on where it was when started again.
"""

from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from pathlib import Path


def add_arguments(parser: ArgumentParser) -> None:
    """The arguments of the command."""
    parser.add_argument('src', type=Path, metavar='SRC', help='Cityscapes at full size')
    parser.add_argument('dst', type=Path, metavar='DST', help='the half-size set goes here')
    parser.set_defaults(finish=finish)


def finish(args: Namespace, error: Callable[[str], None]) -> None:
    """Refuse what does not go together; fill in what depends on other arguments."""
    if args.src.resolve() == args.dst.resolve():
        error('SRC and DST are the same folder; choose another DST')
