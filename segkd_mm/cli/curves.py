"""Draw training curves: losses, validation scores, learning rate and time."""

from argparse import Namespace
from pathlib import Path

from segkd_mm.visualize.curves import draw_curves


def run(args: Namespace) -> None:
    """Run the command."""
    folder = args.work_dirs[0] if len(args.work_dirs) == 1 else 'work_dirs'
    out = Path(args.out or Path(folder, 'curves.png'))
    draw_curves(args.work_dirs, out)
    print(f'Curves: {out}')
