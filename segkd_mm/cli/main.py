"""The command line: ``segkd``, ``python -m segkd_mm``, and each script in tools/.

A command is a line in :data:`segkd_mm.commands.COMMANDS`, a module of arguments in
``segkd_mm.cli.options``, which imports next to nothing, and one with its ``run`` in
``segkd_mm.cli``, which is imported only when the arguments have been read.
"""

from argparse import Action, ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Sequence
from contextlib import redirect_stdout
from importlib import import_module
from io import StringIO
from types import ModuleType

from segkd_mm.cli.errors import user_errors
from segkd_mm.commands import COMMANDS, with_commands
from segkd_mm.hints import did_you_mean
from segkd_mm.version import __version__

ABOUT = 'Light segmentation students that learn from strong teachers. `segkd NAME --help` has more.'


def main(words: Sequence[str] | None = None) -> int:
    """Run ``segkd``; gives the exit code.

    Args:
        words: The arguments; None for those of this process.
    """
    return _run(read_arguments(main_parser(), words))


def tool(name: str) -> int:
    """Run one command as the script in tools/ that is named after it; gives the exit code."""
    parser = _with_arguments(ArgumentParser(**_texts(_options(name))), name)
    return _run(read_arguments(parser, None))


def run(args: Namespace) -> int:
    """Run a command with its arguments as :func:`main_parser` reads them; gives the exit code."""
    if 'finish' in args:
        args.finish(args, args.error)
    with redirect_stdout(StringIO()):  # some libraries print as they are imported
        module = import_module(f'segkd_mm.cli.{COMMANDS[args.command]}')
    check_devices(args)
    return module.run(args) or 0


def check_devices(args: Namespace) -> None:
    """Check that the devices of a command are there.

    Raises:
        ValueError: One is not, or is none.
    """
    for option in 'device', 'train_device':
        name = getattr(args, option, None)
        if name not in (None, 'cpu'):
            from segkd_mm.measure.environment import check_device  # imports torch

            check_device(name)


def read_arguments(parser: ArgumentParser, words: Sequence[str] | None) -> Namespace:
    """The arguments; an unknown option ends with the usage of its command and near names."""
    args, unknown = parser.parse_known_args(words)
    if unknown:
        near = did_you_mean(unknown[0].partition('=')[0], args.known)
        args.error(f'unrecognized arguments: {" ".join(unknown)}{near}')
    return args


def main_parser() -> ArgumentParser:
    """The parser of ``segkd``."""
    parser = ArgumentParser('segkd', description=ABOUT)
    parser.add_argument('--version', action='version', version=__version__)
    commands = parser.add_subparsers(metavar='NAME', required=True)
    for name in COMMANDS:
        texts = _texts(_options(name))
        about = texts['description'].partition('\n')[0]
        _with_arguments(commands.add_parser(name, help=about, **texts), name)
    return parser


def _options(name: str) -> ModuleType:
    return import_module(f'segkd_mm.cli.options.{COMMANDS[name]}')


class HelpFormatter(RawDescriptionHelpFormatter):
    """Shows a description as it is; in it and in the help of arguments, commands as called here."""

    def _get_help_string(self, action: Action) -> str:
        return with_commands(action.help)


def _texts(options: ModuleType) -> dict:
    """What a parser shows of a module of arguments: its docstring."""
    return {'description': with_commands(options.__doc__), 'formatter_class': HelpFormatter}


def _with_arguments(parser: ArgumentParser, name: str) -> ArgumentParser:
    _options(name).add_arguments(parser)
    parser.add_argument(
        '--traceback', action='store_true', help='show where an error in what was given was found'
    )
    known = [one for action in parser._actions for one in action.option_strings]
    parser.set_defaults(command=name, error=parser.error, known=known)
    return parser


def _run(args: Namespace) -> int:
    with user_errors(args.traceback):
        return run(args)
