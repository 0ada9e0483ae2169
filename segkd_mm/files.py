"""Atomic writing: a file or a folder is whole or not there."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory


@contextmanager
def written_aside(path: str | os.PathLike) -> Iterator[Path]:
    """Yields a temporary file beside ``path``; it replaces ``path`` when the block ends.

    It is synced to the disk before. After an error ``path`` is as it was and the temporary file is
    gone. Missing folders are made.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # The ending stays last: image writers take the format from it.
    aside = path.with_name(f'.{path.stem}.{os.getpid()}{path.suffix}')
    try:
        yield aside
        _sync(aside)
        aside.replace(path)
        _sync(path.parent)
    finally:
        aside.unlink(missing_ok=True)


def remove_left_aside(folder: str | os.PathLike) -> None:
    """Remove what killed processes left beside the files of a folder that nobody writes to."""
    for path in Path(folder).glob('.*'):
        if re.fullmatch(r'\..+\.\d+(\.\w+)?', path.name) and path.is_file():
            path.unlink(missing_ok=True)  # another rank may have done it


@contextmanager
def folder_aside(path: str | os.PathLike) -> Iterator[Path]:
    """Yields an empty folder beside ``path``; it becomes ``path`` when the block ends.

    It is synced to the disk before. After an error ``path`` is as it was and the new folder is
    gone. ``path`` must not exist, or be an empty folder.
    """
    path = Path(os.path.abspath(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=f'.{path.name}-', dir=path.parent) as aside:
        folder = Path(aside, path.name)
        folder.mkdir()
        yield folder
        for entry in [*folder.rglob('*'), folder]:
            _sync(entry)
        if path.exists():
            path.rmdir()  # Windows does not rename to a folder that exists
        folder.rename(path)
        _sync(path.parent)


def _sync(path: Path) -> None:
    """Wait until a file's content, or a folder's list of names, is on the disk."""
    if os.name == 'nt' and path.is_dir():  # which cannot be opened there
        return
    # Windows can sync a file only if it was opened for writing.
    descriptor = os.open(path, os.O_RDWR if os.name == 'nt' else os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
