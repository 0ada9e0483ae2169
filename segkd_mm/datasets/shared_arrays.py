"""Arrays in memory that the workers of a data loader share, up to a number of bytes."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import blake2b
from mmap import mmap
from struct import Struct
from tempfile import TemporaryFile
from threading import Lock
from typing import TypeVar

import numpy as np

try:
    from fcntl import LOCK_EX, LOCK_UN, lockf
except ImportError:  # on Windows, where processes are not forked and so share nothing
    lockf = None

MEBIBYTE = 2**20
# Before the bytes of each array: its key's digest, its type, and its shape, padded with zeros.
HEADER = Struct('16s8s3q')
END = Struct('q')  # at the start: where the last array ends

Value = TypeVar('Value')


class SharedArrays:
    """Arrays by key, each computed once by the processes together.

    They lie one after another in anonymous memory, which is taken as it fills and which processes
    forked from this one share. Nothing is ever removed: samples are drawn in a random order, where
    keeping the first that come finds as many again as keeping the latest. A pickled or deep copy
    starts empty.

    Args:
        mebibytes: Most memory that they take.

    Raises:
        ValueError: So much memory cannot be had.
    """

    def __init__(self, mebibytes: float) -> None:
        self.mebibytes = mebibytes
        self._memory = _reserved(mebibytes)
        # A lock of the file system's ends with its process, also where that is killed.
        self._threads, self._processes = Lock(), TemporaryFile()  # noqa: SIM115  stays open
        self._places: dict[bytes, tuple[str, tuple[int, ...], int]] = {}
        self._seen = END.size
        END.pack_into(self._memory, 0, self._seen)

    def __reduce__(self) -> tuple:
        return type(self), (self.mebibytes,)

    def get(self, key: str | os.PathLike, compute: Callable[[], Value]) -> Value:
        """What was computed for a key: a copy of the array that is kept, or computed now.

        It is kept if it is an array of numbers in up to three dimensions, and there is room. Two
        processes that ask for a new key at once may both compute and keep it.
        """
        digest = blake2b(os.fsencode(key), digest_size=16).digest()
        if digest not in self._places:
            self._look()
        if digest in self._places:
            kind, shape, start = self._places[digest]
            return np.ndarray(shape, kind, self._memory, start).copy()
        value = compute()
        if _is_kept(value):
            self._keep(digest, value)
        return value

    def _look(self) -> None:
        """Find what other processes have kept since the last time."""
        with self._alone():
            (end,) = END.unpack_from(self._memory)
            while self._seen < end:
                digest, kind, *sides = HEADER.unpack_from(self._memory, self._seen)
                kind, shape = kind.rstrip(b'\0').decode(), tuple(s for s in sides if s)
                start = self._seen + HEADER.size
                self._places[digest] = kind, shape, start
                self._seen = start + np.dtype(kind).itemsize * int(np.prod(shape))

    def _keep(self, digest: bytes, array: np.ndarray) -> None:
        sides = (*array.shape, 0, 0, 0)[:3]
        header = HEADER.pack(digest, array.dtype.str.encode(), *sides)
        with self._alone():
            (start,) = END.unpack_from(self._memory)
            end = start + len(header) + array.nbytes
            if end <= len(self._memory):
                self._memory[start:end] = header + array.tobytes()
                END.pack_into(self._memory, 0, end)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Context in which no other process or thread reads or writes."""
        with self._threads:
            if lockf:
                lockf(self._processes, LOCK_EX)
            try:
                yield
            finally:
                if lockf:
                    lockf(self._processes, LOCK_UN)


def _reserved(mebibytes: float) -> mmap:
    size = mebibytes * MEBIBYTE if isinstance(mebibytes, int | float) else -1
    try:
        if not size >= 0:
            raise ValueError('it is no number of 0 or more')
        return mmap(-1, max(END.size, int(size)))
    except (OSError, OverflowError, ValueError) as error:
        raise ValueError(
            f'mebibytes={mebibytes!r}: {error}. Expected less than the memory that is free; images '
            'and masks that do not fit are read from their files.'
        ) from None


def _is_kept(value: object) -> bool:
    """Whether it is an array that fits under a header."""
    return (
        isinstance(value, np.ndarray)
        and value.dtype.kind in 'biuf'
        and 0 < value.ndim <= 3
        and value.size > 0
    )
