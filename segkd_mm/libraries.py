"""Import of optional libraries, with an error that says how to install them."""

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
