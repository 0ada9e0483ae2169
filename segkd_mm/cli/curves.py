"""Draw training curves: losses, validation scores, learning rate and time.

Examples:
  tools/curves.py work_dirs/feature_kd_camvid
  tools/curves.py work_dirs/*_camvid --out camvid.png

Several runs are laid over one another. A training that still runs shows how far it has come, and
a resumed run is drawn from its start.
"""

import argparse
from pathlib import Path

from segkd_mm.cli import arguments
from segkd_mm.visualize.curves import draw_curves


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = arguments.parser(__doc__)
    parser.add_argument('work_dirs', nargs='+', metavar='WORK_DIR', help='of tools/train.py')
    parser.add_argument(
        '--out',
        metavar='PNG',
        help='default: WORK_DIR/curves.png, or of several work_dirs/curves.png',
    )
    return parser.parse_args()


def main() -> None:
    """Run the command line."""
    args = parse_args()
    folder = args.work_dirs[0] if len(args.work_dirs) == 1 else 'work_dirs'
    out = Path(args.out or Path(folder, 'curves.png'))
    draw_curves(args.work_dirs, out)
    print(f'Curves: {out}')
