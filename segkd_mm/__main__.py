"""``python -m segkd_mm configs``: list or copy the configs that came with the package."""

import argparse
import shutil
from pathlib import Path

from segkd_mm.config import config_dir, list_configs


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog='python -m segkd_mm', description=__doc__)
    commands = parser.add_subparsers(dest='command', required=True)
    configs = commands.add_parser('configs', help='list the packaged configs, or copy them')
    configs.add_argument('--copy', type=Path, metavar='DIR', help='copy all of them into DIR')
    args = parser.parse_args()
    if args.copy is None:
        print('\n'.join(list_configs()))
    else:
        if args.copy.exists():
            parser.error(f'{args.copy} exists already; choose a new folder')
        shutil.copytree(config_dir(), args.copy, ignore=shutil.ignore_patterns('__pycache__'))
        print(f'Copied {config_dir()} to {args.copy}')


if __name__ == '__main__':
    main()
