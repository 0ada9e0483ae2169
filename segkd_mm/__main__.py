"""``python -m segkd_mm configs``: list, show or copy the configs that came with the package."""

import argparse
import shutil
from pathlib import Path

from segkd_mm.cli import arguments
from segkd_mm.cli.print_config import resolved
from segkd_mm.config import config_dir, list_configs, load_config


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog='python -m segkd_mm', description=__doc__)
    commands = parser.add_subparsers(dest='command', required=True)
    configs = commands.add_parser('configs', help='list, show or copy the packaged configs')
    action = configs.add_mutually_exclusive_group()
    action.add_argument(
        '--show', metavar='CONFIG', help='print one, resolved into a single file: a config itself'
    )
    action.add_argument('--copy', type=Path, metavar='DIR', help='copy all of them into DIR')
    arguments.add_cfg_options(configs, '; for --show')
    args = parser.parse_args()
    if args.cfg_options and not args.show:
        parser.error('--cfg-options goes with --show')
    if args.show:
        print(resolved(load_config(args.show, args.cfg_options)))
    elif args.copy:
        copy_configs(args.copy, parser)
    else:
        print('\n'.join(list_configs()))


def copy_configs(folder: Path, parser: argparse.ArgumentParser) -> None:
    """Copy all configs into a new folder."""
    if folder.exists():
        parser.error(f'{folder} exists already; choose a new folder')
    shutil.copytree(config_dir(), folder, ignore=shutil.ignore_patterns('__pycache__'))
    print(f'Copied {config_dir()} to {folder}')


if __name__ == '__main__':
    main()
