"""Reading of ExecuTorch files (.pte) without running code, and the threads that compute them.

ExecuTorch gives parts of a program to the backends that the file names. That of Qualcomm loads any
library whose path is in the file: a file may name XNNPACK alone.
"""

from pathlib import Path
from typing import Any

from segkd_mm.libraries import import_library, silent_stderr
from segkd_mm.weights import WeightsError

EXECUTORCH = 'executorch'  # of pip install 'segkd_mm[...]'
XNNPACK = 'XnnpackBackend'
BINDINGS = 'executorch.extension.pybindings.portable_lib'


def set_threads(threads: int) -> None:
    """Set the number of threads of a process, before it loads its first program.

    Programs point to the pool of threads that is there when they are loaded, and crash after it is
    replaced.
    """
    with silent_stderr():
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
