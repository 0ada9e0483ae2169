"""A copy of a work directory on a store such as s3:// or gs://, by fsspec."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath

from filelock import FileLock
from fsspec import AbstractFileSystem
from fsspec.core import url_to_fs
from fsspec.implementations.local import LocalFileSystem

from segkd_mm.files import written_aside
from segkd_mm.results.work_dir import WRITTEN
from segkd_mm.weights.checkpoints import newest_whole

POINTER = 'last_checkpoint'


class StoreError(RuntimeError):
    """Error of a store that cannot be reached, or holds something else."""


class StoreCopy:
    """Keeps what a training writes in its work directory on a store, too.

    Other files, here and there, are left alone. A store shows a file when all of it is there; at a
    path, which may be cut short, the checksums of a checkpoint tell that it is.

    Args:
        work_dir: The folder.
        address: Such as ``s3://bucket/run``, or a path; credentials are those of the store's own
            library.

    Raises:
        StoreError: No library for such an address, or the store cannot be listed; or it is a folder
            in the work directory, or around it.
    """

    def __init__(self, work_dir: str | Path, address: str) -> None:
        self.work_dir, self.address = Path(work_dir), address
        self.store, self.root = self._open()
        # Size and time of change of each file that is on the store, where it is from here.
        self._there = dict.fromkeys(self._listed())

    def check_empty(self) -> None:
        """Check that there is nothing of another training, which would mix with this one.

        Raises:
            StoreError: There is; says what to do.
        """
        if self._there:
            raise StoreError(
                f'--copy-to {self.address} holds a training, with {min(self._there)}. Go on with '
                'it by --resume, or give another place.'
            )

    def fetch(self) -> int:
        """Get the files of the store if it is further than the work directory.

        Returns:
            The number of files.
        """
        self.work_dir.mkdir(parents=True, exist_ok=True)
        with FileLock(self.work_dir / '.fetched'):  # of several processes the first one does it
            newest = self._newest()
            if newest is None or (self.work_dir / newest).exists():
                return 0
            self._get(newest)
            here, _ = newest_whole(self.work_dir)
            if here is not None and here.name != newest:
                return 1  # the work directory is further
            others = self._there.keys() - {newest}
            for name in others:
                self._get(name)
            return 1 + len(others)

    def begin(self) -> None:
        """Update for the first time.

        Raises:
            StoreError: Nothing can be written there.
        """
        with self._explained('written'):
            self.update()

    def update(self) -> None:
        """Copy what is new or has changed, checkpoints first; remove outdated checkpoints.

        Raises:
            Exception: Whatever the store's library raises.
        """
        here = dict(self._here())
        for name in sorted(here, key=lambda name: (not name.endswith('.pth'), name)):
            if self._there.get(name) != here[name] and (self.work_dir / name).exists():
                self.store.put_file(str(self.work_dir / name), f'{self.root}/{name}')
                self._there[name] = here[name]
        if POINTER not in here:  # the work directory is gone, not its checkpoints outdated
            return
        for name in [name for name in self._there.keys() - here.keys() if name.endswith('.pth')]:
            self.store.rm_file(f'{self.root}/{name}')
            del self._there[name]

    def _open(self) -> tuple[AbstractFileSystem, str]:
        try:
            with self._explained('opened'):
                store, root = url_to_fs(self.address)
        except StoreError as error:
            if not isinstance(error.__cause__, ImportError):
                raise
            raise StoreError(
                f"--copy-to {self.address}: {error.__cause__}. pip install 'segkd_mm[stores]' has "
                's3fs and gcsfs.'
            ) from error
        root = root.rstrip('/')
        if not root:
            raise StoreError(
                f'--copy-to {self.address!r}: found no folder, expected such as s3://bucket/run.'
            )
        if isinstance(store, LocalFileSystem):
            self._check_apart(Path(root))
            store.auto_mkdir = True
        return store, root

    def _check_apart(self, root: Path) -> None:
        work_dir = self.work_dir.resolve()
        if root.is_relative_to(work_dir) or work_dir.is_relative_to(root):
            raise StoreError(
                f'--copy-to {self.address} lies in the work directory {self.work_dir}, or around '
                'it; expected a place beside it, such as on another disk.'
            )

    def _listed(self) -> list[str]:
        """What a training has written on the store: names relative to its folder."""
        with self._explained('listed'):
            found = self._found()
        names = (path.removeprefix(self.root).lstrip('/') for path in found)
        return [name for name in names if _is_written(name)]

    def _found(self) -> list[str]:
        try:
            return self.store.find(self.root)
        except FileNotFoundError:
            return []

    def _newest(self) -> str | None:
        """The checkpoint that ``last_checkpoint`` on the store names, or else any other one."""
        text = self.store.cat_file(f'{self.root}/{POINTER}') if POINTER in self._there else b''
        name = PurePosixPath(text.decode().strip().replace('\\', '/')).name
        checkpoints = [one for one in self._there if one.endswith('.pth')]
        return name if name in checkpoints else max(checkpoints, default=None)

    def _get(self, name: str) -> None:
        with (
            written_aside(self.work_dir / name) as aside,
            self.store.open(f'{self.root}/{name}') as source,
            aside.open('wb') as target,
        ):
            shutil.copyfileobj(source, target)
        self._there[name] = _stamp(self.work_dir / name)

    @contextmanager
    def _explained(self, what: str) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # each store's library has its own
            raise StoreError(
                f'--copy-to {self.address} cannot be {what}: {type(error).__name__}: {error}. '
                'Check the address, the credentials and the connection.'
            ) from error

    def _here(self) -> Iterator[tuple[str, tuple[int, int]]]:
        """Names of what the training has written in the work directory, with their stamps."""
        for path in self.work_dir.rglob('*'):
            name = path.relative_to(self.work_dir).as_posix()
            if _is_written(name) and path.is_file():
                yield name, _stamp(path)


def _is_written(name: str) -> bool:
    """Whether a training writes a file of this name, relative to its work directory."""
    parts = PurePosixPath(name).parts
    return (
        bool(parts)
        and not any(part.startswith('.') for part in parts)  # such as locks, and `..`
        and any(fnmatch(parts[0], pattern) for pattern in WRITTEN)
    )


def _stamp(path: Path) -> tuple[int, int]:
    """Size in bytes and time of change in nanoseconds."""
    status = path.stat()
    return status.st_size, status.st_mtime_ns
