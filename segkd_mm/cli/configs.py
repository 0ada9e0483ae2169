"""List or copy the configs that came with the package."""

import shutil
from argparse import Namespace

from segkd_mm.config import config_dir, list_configs


def run(args: Namespace) -> None:
    """Run the command."""
    if args.copy:
        # metafile.yml has the scores of our own configs.
        others = shutil.ignore_patterns('__pycache__', '*.yml')
        shutil.copytree(config_dir(), args.copy, ignore=others)
        print(f'Copied {config_dir()} to {args.copy}')
    else:
        print('\n'.join(list_configs()))
