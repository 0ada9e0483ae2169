"""The folder of a teacher cache: how it is laid out and read.

``index.json`` says what the maps were made from and which images there are; the shards beside it
are safetensors files. :mod:`segkd_mm.whole_image.builder` writes them.
"""

import json
import os
from collections.abc import Mapping, Sequence
from functools import lru_cache
from hashlib import sha256
from math import ceil
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from torch import Tensor

from segkd_mm.json_files import JsonFileError, JsonObject, read_object
from segkd_mm.whole_image.checks import (
    MAKE,
    REMOVE,
    CacheError,
    check_format,
    check_image,
    check_packed,
    storages,
)
from segkd_mm.whole_image.packing import FLOAT16, Storage, endings, unpack

INDEX = 'index.json'
SHOWN = 5  # differences in a message


class TeacherCache:
    """The stored maps of a teacher, logits or features, on the images of a data set.

    Args:
        folder: Where ``tools/cache_teacher.py`` put them.

    Attributes:
        index: What is in ``index.json``.
        taps: How the maps of each tap are stored.

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
        self.index, self.taps = _checked_index(path)
        self._names: dict[str, str] = {}
        self._checked: set[str] = set()  # images whose maps are whole

    def check_made_from(self, wanted: Mapping) -> None:
        """Compare what the cache was made from with what a config asks for.

        Raises:
            CacheError: They differ; says in what.
        """
        check_same(self.folder, self.index['made_from'], wanted)

    def check_images(self, paths: Sequence[str], loader: str) -> None:
        """Compare the images in the cache with those of a data set, given with their loader.

        An image with another time of change but the same content is the same.

        Raises:
            CacheError: The data set has others, or other versions of them; names some.
        """
        check_same(self.folder, {'loader': self.index['loader']}, {'loader': loader})
        self._names = names_of(paths)
        known = self.index['images']
        unknown = [path for path, name in self._names.items() if name not in known]
        changed = [
            path for path, name in self._names.items()
            if name in known and not is_unchanged(path, known[name])
        ]  # fmt: skip
        for what, found in (('are not in it', unknown), ('have changed since', changed)):
            if found:
                raise CacheError(
                    f'The teacher cache {self.folder} is of other images: {len(found)} of '
                    f'{len(self._names)} {what}, the first {found[0]}. {MAKE}'
                )

    def read(self, path: str, size: tuple[int, int]) -> dict[str, Tensor]:
        """The maps of an image by tap, float16 [C, h, w], which cover the whole of it.

        Args:
            path: One of those given to :meth:`check_images`.
            size: Height and width with which it was loaded.

        Raises:
            CacheError: The image had another size when the teacher saw it.
        """
        name = self._names[path]
        image = self.index['images'][name]
        if tuple(image['size']) != tuple(size):
            raise CacheError(
                f'{path} was loaded with {size[0]} x {size[1]} pixels, the teacher saw '
                f'{image["size"][0]} x {image["size"][1]}: they must be loaded alike.'
            )
        shard = self.folder / image['shard']
        maps = {tap: self._unpacked(shard, name, tap) for tap in self.taps}
        if name not in self._checked:
            for tap, x in maps.items():
                self._check_map(x, size, self.taps[tap], f'{shard}: {name}, tap {tap}')
            self._checked.add(name)
        return maps

    def _check_map(self, x: Tensor, size: tuple[int, int], storage: Storage, where: str) -> None:
        """Check the shape, which may be coarser than the stride as a teacher's is, and the values.

        Raises:
            CacheError: It cannot be of an image of this size.
        """
        stride = self.index['made_from']['stride']
        finest = storage.channels, *(ceil(side / stride) for side in size)
        channels, *sides = x.shape
        fits = channels == storage.channels and all(map(int.__le__, sides, finest[1:]))
        if not (fits and x.numel() and x.isfinite().all()):
            found = 'NaN or infinity' if fits and x.numel() else list(x.shape)
            raise CacheError(
                f'{where}: found {found}, expected finite numbers {list(finest)}, or fewer rows '
                f'and columns. {REMOVE}'
            )

    def _unpacked(self, path: Path, name: str, tap: str) -> Tensor:
        storage = self.taps[tap]
        try:
            shard = _open(str(path))
            packed = {
                end: shard.get_tensor(stored_key(tap, name, end))
                for end in endings(storage.packing)
            }
        except (OSError, SafetensorError) as error:
            raise CacheError(f'{path} cannot be read ({error}). {REMOVE}') from error
        check_packed(packed, storage, f'{path}: {name}, tap {tap}')
        x = unpack(packed, storage.channels)
        return x.clone() if storage.packing == FLOAT16 else x  # not the mapped file


def stored_key(tap: str, name: str, ending: str) -> str:
    """The key of a packed tensor of an image in a shard."""
    return f'{tap}:{name}{ending}'


def _checked_index(path: Path) -> tuple[JsonObject, dict[str, Storage]]:
    """The content of an index, with the types of what is read of it, and how taps are stored.

    Raises:
        CacheError: It is damaged.
    """
    try:
        index = read_object(path, 'the index of a teacher cache', MAKE)
        index.check({'made_from': dict})
        check_format(path.parent, index['made_from'])
        index.check({'taps': dict, 'images': dict, 'loader': str})
        index['made_from'].check({'stride': int})
        for image in index['images'].values():
            check_image(index, image)
        return index, storages(index)
    except JsonFileError as error:
        raise CacheError(str(error)) from error


# A reader maps its file into memory, where all workers share its pages.
@lru_cache(maxsize=512)
def _open(path: str) -> Any:
    return safe_open(path, framework='pt')


def names_of(paths: Sequence[str]) -> dict[str, str]:
    """Names of images in a cache by path: relative to the folder that holds all of them.

    So a data set may be moved.
    """
    full = {path: os.path.abspath(path) for path in paths}
    folder = os.path.commonpath([os.path.dirname(one) for one in full.values()])
    return {path: Path(one).relative_to(folder).as_posix() for path, one in full.items()}


def fingerprint(path: str) -> dict:
    """Size, time of change and sha256 of a file, which tell its version."""
    stat = os.stat(path)
    digest = sha256(Path(path).read_bytes()).hexdigest()
    return {'bytes': stat.st_size, 'changed': stat.st_mtime_ns, 'sha256': digest}


def is_unchanged(path: str, recorded: Mapping) -> bool:
    """Whether a file still is the version in the record; it is read where only its time differs."""
    stat = os.stat(path)
    if stat.st_size != recorded['bytes']:
        return False
    if stat.st_mtime_ns == recorded['changed']:
        return True
    return fingerprint(path)['sha256'] == recorded['sha256']


def check_same(folder: Path, found: Mapping, wanted: Mapping) -> None:
    """Compare what a cache was made from with what it should be made from.

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
    """Nested dicts and lists as they come back from JSON, to compare with what was read."""
    return json.loads(json.dumps(tree, default=str))


def _flat(tree: Any, prefix: str = '') -> dict[str, Any]:
    """The values of nested dicts, by dotted key."""
    if not isinstance(tree, Mapping):
        return {prefix[:-1]: tree}
    return {k: v for key, node in tree.items() for k, v in _flat(node, f'{prefix}{key}.').items()}
