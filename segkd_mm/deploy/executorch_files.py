"""Reading of ExecuTorch files (.pte) without running code, and the threads that compute them.

ExecuTorch gives parts of a program to the backends that the file names. That of Qualcomm loads any
library whose path is in the file: a file may name XNNPACK alone.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from segkd_mm.libraries import import_library
from segkd_mm.weights import WeightsError

EXECUTORCH = 'executorch'  # of pip install 'segkd_mm[...]'
XNNPACK = 'XnnpackBackend'
BINDINGS = 'executorch.extension.pybindings.portable_lib'


def set_threads(threads: int) -> None:
    """Set the number of threads of a process, before it loads its first program.

    Programs point to the pool of threads that is there when they are loaded, and crash after it is
    replaced.
    """
    with _messages_hidden():
        import_library(BINDINGS, EXECUTORCH)._unsafe_reset_threadpool(threads)


def load_executorch(path: Path) -> Any:
    """Read the ``executorch.runtime.Program`` in a .pte file.

    Raises:
        ImportError: executorch is not installed.
        WeightsError: It names another backend than XNNPACK.
    """
    runtime = import_library('executorch.runtime', EXECUTORCH).Runtime.get()
    content = path.read_bytes()
    for name in runtime.backend_registry.registered_backend_names:
        if name != XNNPACK and name.encode() in content:
            raise WeightsError(
                f'{path} computes with {name}, which could run code; expected {XNNPACK} alone. '
                'Export the model again, from a checkpoint that you trust.'
            )
    return runtime.load_program(content)


@contextmanager
def _messages_hidden() -> Iterator[None]:
    """Context without what libraries of C++ write to stderr: which processors they find."""
    kept = os.dup(2)
    with open(os.devnull, 'w') as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
