"""Write an HTML report of one training or of several side by side."""

from argparse import Namespace
from pathlib import Path

from segkd_mm.visualize.report import write_report


def run(args: Namespace) -> None:
    """Run the command."""
    folder = args.work_dirs[0] if len(args.work_dirs) == 1 else 'work_dirs'
    out = Path(args.out or Path(folder, 'report.html'))
    write_report(args.work_dirs, out, args.images)
    print(f'Report: {out} ({out.stat().st_size / 1e6:.1f} MB); open it in a browser')
