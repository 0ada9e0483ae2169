"""Errors of an address at which a server cannot listen."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def port_errors(host: str, port: int) -> Iterator[None]:
    """Context in which an error of the system says the address, and what to do.

    Raises:
        OSError: The port is in use or not allowed, or the address is none of this machine.
    """
    try:
        yield
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise OSError(
                f'Port {port} is in use: give another by --port, or 0 for any.'
            ) from error
        raise OSError(
            f'Cannot listen on {host}, port {port} ({error.strerror}): give an address of this '
            'machine, and a port that you may use.'
        ) from error
