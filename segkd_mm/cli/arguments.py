"""Command-line arguments that several tools share."""

import math
from argparse import SUPPRESS, ArgumentError, ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from mmengine.config import DictAction

from segkd_mm.config_values import SEEDS

PORTS = 1 << 16


def add_config(parser: ArgumentParser) -> None:
    """The positional argument ``config``."""
    parser.add_argument('config', help='config file, or a name of `segkd configs`')


def add_checkpoint(parser: ArgumentParser, more: str = '') -> None:
    """The positional argument ``checkpoint``; ``more`` ends its help."""
    sources = 'file, folder, address, torchvision://MODEL or hf://OWNER/NAME'
    parser.add_argument('checkpoint', help=sources + more)


def add_device(parser: ArgumentParser, default: str | None = 'cpu') -> None:
    """``--device``; with a ``default`` of None the command takes the GPU where there is one."""
    shown = default or 'cuda where there is a GPU'
    text = f'cpu, cuda, cuda:1, ... (default: {shown})'
    parser.add_argument('--device', default=default, help=text)


def add_epochs(parser: ArgumentParser) -> None:
    """``--epochs``."""
    parser.add_argument(
        '--epochs',
        type=positive,
        metavar='N',
        help="train for N epochs, with the whole schedule scaled (default: the config's own); of a "
        'run to --resume, give the same N again',
    )


def add_windows(parser: ArgumentParser) -> None:
    """``--window`` and ``--overlap``."""
    parser.add_argument(
        '--window',
        type=positive,
        metavar='SIDE',
        help='predict large images in windows of SIDE x SIDE pixels, a multiple of 32',
    )
    parser.add_argument(
        '--overlap',
        type=int,
        metavar='PIXELS',
        help='pixels that windows share, a multiple of 32 (default: a quarter of SIDE, rounded up)',
    )


def check_windows(args: Namespace, error: Callable[[str], None]) -> None:
    """Refuse an overlap without windows."""
    if args.overlap is not None and not args.window:
        error('--overlap goes with --window SIDE')


def positive(text: str) -> int:
    """A positive whole number, for argparse."""
    return whole(text, least=1)


def whole(text: str, least: int = 0) -> int:
    """A whole number of 0 or more, for argparse."""
    number = _number(int, text)
    if number is None or number < least:
        raise ArgumentTypeError(f'{text}: expected a whole number of {least} or more')
    return number


def _number(kind: type, text: str) -> float | None:
    with suppress(ValueError):
        return kind(text)
    return None


def seed(text: str) -> int:
    """A seed that all random generators take, for argparse."""
    number = whole(text)
    if number >= SEEDS:
        raise ArgumentTypeError(f'{text}: expected a number below {SEEDS}')
    return number


def port(text: str) -> int:
    """A number of a port, for argparse."""
    number = whole(text)
    if number >= PORTS:
        raise ArgumentTypeError(f'{text}: expected a number below {PORTS}')
    return number


def amount(text: str) -> float:
    """A number of 0 or more, for argparse."""
    number = _number(float, text)
    if number is None or not (0 <= number < math.inf):
        raise ArgumentTypeError(f'{text}: expected a number of 0 or more')
    return number


def option(text: str) -> str:
    """KEY=VALUE, for argparse."""
    if not text.partition('=')[1]:
        raise ArgumentTypeError(f'{text!r}: expected KEY=VALUE')
    return text


def add_launcher(parser: ArgumentParser) -> None:
    """``--launcher``, and ``--local-rank``, which torch.distributed may pass."""
    parser.add_argument(
        '--launcher',
        choices=['none', 'pytorch', 'slurm', 'mpi'],
        default='none',
        help='how the processes of a distributed run were started (default: none)',
    )
    parser.add_argument('--local-rank', type=int, help=SUPPRESS)


class OptionsAction(DictAction):
    """mmengine's, which for a dict in a list recurses without end."""

    def __call__(
        self, parser: ArgumentParser, namespace: Namespace, values: Any, *rest: Any
    ) -> None:
        """Add the options; mmengine's arguments."""
        try:
            super().__call__(parser, namespace, values, *rest)
        except (AssertionError, RecursionError) as error:  # of brackets without their other half
            raise ArgumentError(
                self,
                f'found {" ".join(values)!r}, expected words, numbers, or lists of them such as '
                'KEY=[a,b]. Write what has a dict, or a single bracket, in a config.',
            ) from error


def add_cfg_options(parser: ArgumentParser, more: str = '') -> None:
    """``--cfg-options``; ``more`` ends its help."""
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        type=option,
        action=OptionsAction,
        metavar='KEY=VALUE',
        help='override the config, such as optim_wrapper.optimizer.lr=1e-3; data_root=DIR '
        f'reaches every data set{more}; +KEY=VALUE adds a key that the config does not have',
    )
