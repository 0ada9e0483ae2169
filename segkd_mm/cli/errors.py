"""Errors in what the user gave: one message without a traceback."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from opcode import opmap
from traceback import format_exception, print_exc
from types import TracebackType

from segkd_mm.build_hints import build_hints

# Whose `raise` statements speak to the user: the package, and mmengine where it reads a config.
OWN = 'segkd_mm', 'mmengine.config'


@contextmanager
def user_errors(with_traceback: bool = False) -> Iterator[None]:
    """Context in which an error that the user can mend ends the process with its message alone.

    Other errors pass unchanged. The log file of a run gets the traceback of both.

    Args:
        with_traceback: Print the traceback, too.

    Raises:
        SystemExit: With exit code 1, after the message was printed.
    """
    try:
        with build_hints():
            yield
    except BrokenPipeError:  # such as of `segkd configs | head`
        sys.stdout = None
    except Exception as error:
        _log_traceback(error)
        if not is_of_user(error):
            raise
        if with_traceback:
            print_exc()
        print(f'error: {message(error)}', file=sys.stderr)
        raise SystemExit(1) from None


def is_of_user(error: Exception) -> bool:
    """Whether an error is about what the user gave, not a fault of the program.

    The checks of this package raise errors with a message for the user, by a ``raise`` statement
    or in a class of their own, which data loader workers pass on. What the system refuses, such as
    a file without permission or a full disk, is the user's, too. An error that happens inside a
    statement, here or in a library, was not foreseen: it keeps its traceback.
    """
    return (
        isinstance(error, OSError)
        or _is_within(type(error).__module__, OWN)
        or _is_raised(error.__traceback__)
    )


def message(error: Exception) -> str:
    """The message of an error, without the traceback that a data loader worker puts before it."""
    text = str(error)
    if 'DataLoader worker process' in text:
        text = text.rpartition(f'{type(error).__name__}: ')[2]
    return text.strip()


def _is_raised(traceback: TracebackType | None) -> bool:
    """Whether the error came from a ``raise`` statement of the own modules."""
    while traceback.tb_next is not None:
        traceback = traceback.tb_next
    frame = traceback.tb_frame
    statement = frame.f_code.co_code[traceback.tb_lasti]
    name = frame.f_globals.get('__name__', '')
    return statement == opmap['RAISE_VARARGS'] and _is_within(name, OWN)


def _is_within(module: str, owners: tuple[str, ...]) -> bool:
    return any(module == owner or module.startswith(f'{owner}.') for owner in owners)


def _log_traceback(error: Exception) -> None:
    """Write the traceback to the log file of the run, where one has begun."""
    from mmengine.logging import MMLogger  # imports torch, which is there by then

    logger = MMLogger.get_current_instance()
    if logger.log_file is not None:
        logger.error(''.join(format_exception(error)), extra={'only_in_file': True})
