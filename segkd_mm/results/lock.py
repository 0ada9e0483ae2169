"""A lock on a work directory: one training writes there at a time."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

LOCK, HOLDER = '.in_use', '.in_use_by'
# Where launchers say which process this is.
RANKS = {'pytorch': 'RANK', 'slurm': 'SLURM_PROCID', 'mpi': 'OMPI_COMM_WORLD_RANK'}


class WorkDirInUse(RuntimeError):
    """Error of a work directory in which another process trains."""


@contextmanager
def locked(work_dir: str | os.PathLike, launcher: str = 'none') -> Iterator[None]:
    """Hold the lock of a work directory; the system frees it when the process ends in any way.

    Of the processes of a distributed training, the first one holds it.

    Raises:
        WorkDirInUse: Another process holds it; names the process and its machine.
    """
    if os.environ.get(RANKS.get(launcher, ''), '0') != '0':
        yield
        return
    folder = Path(work_dir)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        lock = FileLock(folder / LOCK, timeout=0).acquire()
    except Timeout:
        raise WorkDirInUse(
            f'Another training writes to {folder}: {_holder(folder)}. Wait for its end, stop it, '
            'or give another --work-dir.'
        ) from None
    with lock:
        (folder / HOLDER).write_text(f'process {os.getpid()} on {socket.gethostname()}\n')
        yield


def _holder(folder: Path) -> str:
    try:
        return (folder / HOLDER).read_text().strip()
    except OSError:
        return 'a process that has just begun'
