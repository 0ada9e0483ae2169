"""Import of optional libraries, with an error that says how to install them; their notes hidden."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType


def import_library(name: str, extra: str) -> ModuleType:
    """Import an optional library, which ``pip install 'segkd_mm[EXTRA]'`` installs.

    Raises:
        ImportError: The library is not installed; the message says how to install it.
    """
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name.partition('.')[0]:
            raise
        raise ImportError(
            f"{error.name} is not installed: pip install 'segkd_mm[{extra}]'", name=error.name
        ) from error


@contextmanager
def silent_stderr() -> Iterator[None]:
    """Discard stderr of the process, to which libraries of C++ write notes."""
    sys.stderr.flush()
    saved = os.dup(2)
    with open(os.devnull, 'w', encoding='utf-8') as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
