"""Print the completion of this command line for a shell."""

from argparse import Namespace

from segkd_mm.cli.main import main_parser
from segkd_mm.libraries import import_library


def run(args: Namespace) -> None:
    """Run the command."""
    shtab = import_library('shtab', 'completion')
    print(shtab.complete(main_parser(), args.shell))
