"""A copy of a work directory on a store such as s3:// or gs://, by fsspec."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from filelock import FileLock
from fsspec import AbstractFileSystem
from fsspec.core import url_to_fs
from fsspec.implementations.local import LocalFileSystem

from segkd_mm.files import written_aside


class StoreError(RuntimeError):
    """Error of a store that cannot be reached, or holds something else."""


class StoreCopy:
    """Keeps what a work directory holds on a store, to go on from there on another machine.

    Names that begin with a dot are left out: locks, and files that are half written. A store
    shows a file when all of it is there, so that a checkpoint on it is whole.

    Args:
        work_dir: The folder.
        address: Such as ``s3://bucket/run``, or a path; credentials are those of the store's own
            library.

    Raises:
        StoreError: No library for such an address, or the store cannot be listed; or it is a folder
            in the work directory, or around it.
    """

    def __init__(self, work_dir: str | Path, address: str) -> None:
        self.work_dir, self.address = Path(work_dir), address.rstrip('/')
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
                f'--copy-to {self.address} holds {len(self._there)} files, such as '
                f'{min(self._there)}. Go on with that training by --resume, or give another place.'
            )

    def fetch(self) -> int:
        """Get the files that the work directory lacks; gives their number."""
        self.work_dir.mkdir(parents=True, exist_ok=True)
        with FileLock(self.work_dir / '.fetched'):  # of several processes the first one does it
            missing = [name for name in self._there if not (self.work_dir / name).exists()]
            for name in missing:
                with (
                    written_aside(self.work_dir / name) as aside,
                    self.store.open(f'{self.root}/{name}') as source,
                    aside.open('wb') as target,
                ):
                    shutil.copyfileobj(source, target)
        return len(missing)

    def begin(self) -> None:
        """Update for the first time.

        Raises:
            StoreError: Nothing can be written there.
        """
        with self._explained('written'):
            self.update()

    def update(self) -> None:
        """Copy what is new or has changed; remove what is gone. Checkpoints come first.

        Raises:
            Exception: Whatever the store's library raises.
        """
        here = dict(self._here())
        for name in sorted(here, key=lambda name: (not name.endswith('.pth'), name)):
            if self._there.get(name) != here[name]:
                self.store.put_file(str(self.work_dir / name), f'{self.root}/{name}')
                self._there[name] = here[name]
        for name in self._there.keys() - here.keys():
            self.store.rm_file(f'{self.root}/{name}')
            del self._there[name]

    def _open(self) -> tuple[AbstractFileSystem, str]:
        try:
            store, root = url_to_fs(self.address)
        except ImportError as error:
            raise StoreError(
                f"--copy-to {self.address}: {error}. pip install 'segkd_mm[stores]' has s3fs and "
                'gcsfs.'
            ) from error
        except ValueError as error:
            raise StoreError(
                f'--copy-to {self.address}: {error}; expected such as s3://bucket/run, '
                'gs://bucket/run or a path.'
            ) from error
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
        """Names on the store, relative to its folder."""
        with self._explained('listed'):
            found = self._found()
        names = [path.removeprefix(self.root).lstrip('/') for path in found]
        for name in names:
            if '..' in PurePosixPath(name).parts:
                raise StoreError(f'{self.address} holds {name!r}, which is outside of its folder.')
        return names

    def _found(self) -> list[str]:
        try:
            return self.store.find(self.root)
        except FileNotFoundError:
            return []

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
        """Names in the work directory, with sizes in bytes and times of change in nanoseconds."""
        for path in self.work_dir.rglob('*'):
            name = path.relative_to(self.work_dir)
            if path.is_file() and not any(part.startswith('.') for part in name.parts):
                status = path.stat()
                yield name.as_posix(), (status.st_size, status.st_mtime_ns)
