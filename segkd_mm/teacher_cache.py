"""A folder of a teacher's logits on whole photos: what lies in it, and how it is read.

``index.json`` says what the logits were made from and which photos there are; the shards beside it
are safetensors files. :mod:`segkd_mm.caching` writes them.
"""

import json
import os
from collections.abc import Mapping, Sequence
from functools import lru_cache
from hashlib import sha256
from math import log
from pathlib import Path
from typing import Any

from safetensors import safe_open
from torch import Tensor

VERSION = 1  # of the format
INDEX = 'index.json'
TOP, IDS = '/top', '/ids'
SHOWN = 5


class CacheError(ValueError):
    """A cache that is not there, was made from something else, or whose photos have changed."""


class TeacherCache:
    """The logits of one tap on the photos of a data set, read by photo.

    Args:
        folder: Where ``tools/cache_teacher.py`` put them.

    Attributes:
        index: What is in ``index.json``.
        channels: Of the logits.
        stride: Pixels of the photo that a cell of the logits stands for.

    Raises:
        CacheError: There is none, or it is not finished.
    """

    def __init__(self, folder: str | os.PathLike) -> None:
        self.folder = Path(folder)
        path = self.folder / INDEX
        if not path.is_file():
            raise CacheError(
                f'{path} does not exist (looked in {Path.cwd()}): the cache was not made, or not '
                f'to its end. {MAKE}'
            )
        self.index = json.loads(path.read_text(encoding='utf-8'))
        self.channels: int = self.index['channels']
        self.stride: int = self.index['made_from']['stride']
        self._names: dict[str, str] = {}

    def check_made_from(self, wanted: Mapping) -> None:
        """Hold what the cache was made from against the same of a config.

        Raises:
            CacheError: They differ; says in what.
        """
        check_same(self.folder, self.index['made_from'], wanted)

    def check_photos(self, paths: Sequence[str], loader: str) -> None:
        """Hold the photos in the cache against those of a data set, given with their loader.

        A photo with another time of change but the same content is the same.

        Raises:
            CacheError: The data set has others, or other versions of them; names some.
        """
        check_same(self.folder, {'loader': self.index['loader']}, {'loader': loader})
        self._names = names_of(paths)
        known = self.index['photos']
        strange = [path for path, name in self._names.items() if name not in known]
        changed = [
            path for path, name in self._names.items()
            if name in known and not is_same(path, known[name])
        ]  # fmt: skip
        for what, found in (('are not in it', strange), ('have changed since', changed)):
            if found:
                raise CacheError(
                    f'The teacher cache {self.folder} is of other photos: {len(found)} of '
                    f'{len(self._names)} {what}, the first {found[0]}. {MAKE}'
                )

    def read(self, path: str, size: tuple[int, int]) -> Tensor:
        """The logits of a photo, float16 [C, h, w], which cover the whole of it.

        Args:
            path: One of those given to :meth:`check_photos`.
            size: Height and width with which it was loaded.

        Raises:
            CacheError: The photo had another size when the teacher saw it.
        """
        name = self._names[path]
        photo = self.index['photos'][name]
        if tuple(photo['size']) != tuple(size):
            raise CacheError(
                f'{path} was loaded with {size[0]} x {size[1]} pixels, the teacher saw '
                f'{photo["size"][0]} x {photo["size"][1]}: they must be loaded alike.'
            )
        shard = _open(str(self.folder / photo['shard']))
        if self.index['top'] is None:
            return shard.get_tensor(name).clone()
        return unpack(shard.get_tensor(name + TOP), shard.get_tensor(name + IDS), self.channels)


MAKE = 'Make it (again) with: python tools/cache_teacher.py CONFIG'


# A reader maps its file into memory, where all workers share its pages.
@lru_cache(maxsize=512)
def _open(path: str) -> Any:
    return safe_open(path, framework='pt')


def unpack(top: Tensor, ids: Tensor, channels: int) -> Tensor:
    """Logits float16 [C, h, w] from the k largest and the logsumexp of the rest, [k + 1, h, w].

    Args:
        top: The k largest in any order, and last the logsumexp of the rest, which share it alike.
        ids: Channels of the k largest, uint8 or int16, [k, h, w].
        channels: C.
    """
    rest = top[-1:].float() - log(channels - len(ids))
    logits = rest.expand(channels, *rest.shape[1:]).clone()
    return logits.scatter_(0, ids.long(), top[:-1].float()).half()


def names_of(paths: Sequence[str]) -> dict[str, str]:
    """By path the name of each photo in a cache: its path below the folder that holds all.

    So a data set may move.
    """
    full = {path: os.path.abspath(path) for path in paths}
    folder = os.path.commonpath([os.path.dirname(one) for one in full.values()])
    return {path: Path(one).relative_to(folder).as_posix() for path, one in full.items()}


def stamp(path: str) -> dict:
    """What tells a version of a file from others."""
    stat = os.stat(path)
    digest = sha256(Path(path).read_bytes()).hexdigest()
    return {'bytes': stat.st_size, 'changed': stat.st_mtime_ns, 'sha256': digest}


def is_same(path: str, stamped: Mapping) -> bool:
    """Whether a file is the version that was stamped; it is read where only its time differs."""
    stat = os.stat(path)
    if stat.st_size != stamped['bytes']:
        return False
    return stat.st_mtime_ns == stamped['changed'] or stamp(path)['sha256'] == stamped['sha256']


def check_same(folder: Path, found: Mapping, wanted: Mapping) -> None:
    """Hold what a cache was made from against what it should be made from.

    Raises:
        CacheError: They differ; says in which keys.
    """
    found, wanted = _flat(found), _flat(wanted)
    keys = [k for k in {**found, **wanted} if found.get(k, '-') != wanted.get(k, '-')]
    if keys:
        shown = [
            f'  {key}: {found.get(key, "-")} in the cache, {wanted.get(key, "-")} now'
            for key in keys[:SHOWN]
        ]
        raise CacheError(
            f'The teacher cache {folder} was made from something else ({len(keys)} differences):\n'
            + '\n'.join(shown + ['  ...'] * (len(keys) > SHOWN))
            + '\nDelete the folder or name another one. '
            + MAKE
        )


def as_json(tree: Any) -> Any:
    """A tree as it comes back from JSON, so that it equals what was read."""
    return json.loads(json.dumps(tree, default=str))


def _flat(tree: Any, prefix: str = '') -> dict[str, Any]:
    """The leaves of nested dicts, by dotted key."""
    if not isinstance(tree, Mapping):
        return {prefix[:-1]: tree}
    return {k: v for key, node in tree.items() for k, v in _flat(node, f'{prefix}{key}.').items()}
