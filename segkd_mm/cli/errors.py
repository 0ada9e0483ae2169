"""Errors in what the user gave: one message without a traceback."""

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from traceback import format_exception, print_exc

from segkd_mm.build_hints import build_hints, is_raised_by

# What to do about errors of the system, which say the file and what was found.
IN_THE_WAY = (
    'There is something of this name already, or a file in place of a folder. Give another place, '
    'or move it.'
)
ADVICE = {
    errno.EEXIST: IN_THE_WAY,
    errno.ENOTDIR: IN_THE_WAY,
    errno.ENOENT: 'Looked in {cwd}. Correct the name, or make the file or folder first.',
    errno.EISDIR: 'Expected a file there: it is a folder. Give another name.',
    errno.EACCES: 'Give a place that you may read and write, or change its permissions.',
    errno.EPERM: 'Give a place that you may read and write, or change its permissions.',
    errno.EROFS: 'Nothing can be written there: give another place.',
    errno.ENOSPC: 'Make room on that disk, or give a place on another one.',
}
# Whose `raise` statements speak to the user: the package, and mmengine where it reads a config.
OWN = 'segkd_mm', 'mmengine.config', 'mmengine.runner'


@contextmanager
def user_errors(with_traceback: bool = False) -> Iterator[None]:
    """Context in which an error that the user can mend ends the process with its message alone.

    Other errors pass unchanged. The log file of a run gets the traceback of both.

    Args:
        with_traceback: Print the traceback, too.

    Raises:
        SystemExit: With exit code 1, after the message was printed.
        KeyboardInterrupt: Ctrl-C, which a library took for an error of its own.
    """
    try:
        with build_hints():
            yield
    except BrokenPipeError:  # such as of `segkd configs | head`
        sys.stdout = None
    except Exception as error:
        if isinstance(error.__context__, KeyboardInterrupt):  # mmengine has bare `except`s
            raise KeyboardInterrupt from None
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
        or is_raised_by(error, OWN)
    )


def message(error: Exception) -> str:
    """The message of an error, without the traceback that a data loader worker puts before it."""
    text = str(error)
    if 'DataLoader worker process' in text:
        text = text.rpartition(f'{type(error).__name__}: ')[2]
    return f'{text.strip()}{_advice(error)}'


def _advice(error: Exception) -> str:
    """What to do about an error of the system that names a file."""
    named = isinstance(error, OSError) and error.filename is not None
    advice = ADVICE.get(error.errno) if named else None
    return f'. {advice.format(cwd=os.getcwd())}' if advice else ''


def _is_within(module: str, owners: tuple[str, ...]) -> bool:
    return any(module == owner or module.startswith(f'{owner}.') for owner in owners)


def _log_traceback(error: Exception) -> None:
    """Write the traceback to the log file of the run, where one has begun."""
    from mmengine.logging import MMLogger  # imports torch, which is there by then

    logger = MMLogger.get_current_instance()
    if logger.log_file is not None:
        logger.error(''.join(format_exception(error)), extra={'only_in_file': True})
