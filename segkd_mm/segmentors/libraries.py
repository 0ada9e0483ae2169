"""Optional libraries, imported where they are used."""

from importlib import import_module
from types import ModuleType


def library(name: str, extra: str) -> ModuleType:
    """Import a library which an extra of this package installs.

    Raises:
        ImportError: It is not installed; the message says how to install it.
    """
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:
            raise
        raise ImportError(
            f"{name} is not installed: pip install 'segkd_mm[{extra}]'", name=name
        ) from error
