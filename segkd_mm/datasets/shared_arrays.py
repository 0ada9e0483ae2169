"""Arrays in memory that the workers of a data loader share, up to a number of bytes."""

from collections.abc import Callable
from hashlib import blake2b
from mmap import mmap
from multiprocessing import Lock
from struct import Struct

import numpy as np

MEBIBYTE = 2**20
# Before the bytes of each array: its key's digest, its type, and its shape, padded with zeros.
HEADER = Struct('16s8s3q')
END = Struct('q')  # at the start: where the last array ends


class SharedArrays:
    """Arrays by key, of up to three dimensions, each computed once by the processes together.

    They lie one after another in anonymous memory, which is taken as it fills and which processes
    forked from this one share. Nothing is ever removed: samples are drawn in a random order, where
    keeping the first that come finds as many again as keeping the latest. A pickled or deep copy
    starts empty.

    Args:
        mebibytes: Most memory that they take.
    """

    def __init__(self, mebibytes: float) -> None:
        self.mebibytes = mebibytes
        self._memory = mmap(-1, max(END.size, int(mebibytes * MEBIBYTE)))
        self._lock = Lock()
        self._places: dict[bytes, tuple[str, tuple[int, ...], int]] = {}
        self._seen = END.size
        END.pack_into(self._memory, 0, self._seen)

    def __reduce__(self) -> tuple:
        return type(self), (self.mebibytes,)

    def get(self, key: str, compute: Callable[[], np.ndarray]) -> np.ndarray:
        """A copy of the array of a key; it is computed, and kept if there is room, the first time.

        Two processes that ask for a new key at once may both compute and keep it.
        """
        digest = blake2b(key.encode(), digest_size=16).digest()
        if digest not in self._places:
            self._look()
        if digest in self._places:
            kind, shape, start = self._places[digest]
            return np.ndarray(shape, kind, self._memory, start).copy()
        array = compute()
        self._keep(digest, array)
        return array

    def _look(self) -> None:
        """Find what other processes have kept since the last time."""
        with self._lock:
            (end,) = END.unpack_from(self._memory)
        while self._seen < end:
            digest, kind, *sides = HEADER.unpack_from(self._memory, self._seen)
            shape, start = tuple(s for s in sides if s), self._seen + HEADER.size
            kind = kind.rstrip(b'\0').decode()
            self._places[digest] = kind, shape, start
            self._seen = start + np.dtype(kind).itemsize * int(np.prod(shape))

    def _keep(self, digest: bytes, array: np.ndarray) -> None:
        sides = (*array.shape, 0, 0, 0)[:3]
        header = HEADER.pack(digest, array.dtype.str.encode(), *sides)
        with self._lock:
            (start,) = END.unpack_from(self._memory)
            end = start + len(header) + array.nbytes
            if end <= len(self._memory):
                self._memory[start:end] = header + array.tobytes()
                END.pack_into(self._memory, 0, end)
