"""Draw training curves: losses, validation scores, learning rate and time.

Examples:
  segkd curves work_dirs/feature_kd_camvid
  segkd curves work_dirs/*_camvid --out camvid.png

Several runs are laid over one another. A training that still runs shows how far it has come, and
a resumed run is drawn from its start.
"""

from argparse import ArgumentParser


def add_arguments(parser: ArgumentParser) -> None:
    """The arguments of the command."""
    parser.add_argument('work_dirs', nargs='+', metavar='WORK_DIR', help='of segkd train')
    parser.add_argument(
        '--out',
        metavar='PNG',
        help='default: WORK_DIR/curves.png, or of several work_dirs/curves.png',
    )
