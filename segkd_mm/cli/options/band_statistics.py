"""Count the mean and the standard deviation of each band of images.

Examples:
  segkd band-statistics data/mine/images/train
  segkd band-statistics data/mine/images data/more_images

Prints channels, mean and std to paste into a config (docs/your_data.md). Take training
images alone.
"""

from argparse import ArgumentParser
from pathlib import Path


def add_arguments(parser: ArgumentParser) -> None:
    """The arguments of the command."""
    parser.add_argument('folders', nargs='+', type=Path, metavar='DIR', help='folder of images')
