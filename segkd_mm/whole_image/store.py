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

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from segkd_mm.commands import command
from segkd_mm.json_files import JsonFileError, JsonObject, read_object
from segkd_mm.whole_image.packing import (
    EIGHT_BITS,
    FLOAT16,
    IDS,
    INT8,
    SCALE,
    TOP,
    Storage,
    endings,
    unpack,
)

# Of the format; 2: maps are resized by torch's antialiased interpolation; 3: of several taps.
VERSION = 3
INDEX = 'index.json'
SHOWN = 5  # differences in a message
LARGEST_NUMBER = 2**16  # of channels, and of a stride
MAKE = f'Make it (again) with: {command("cache")} CONFIG'
REMOVE = f'Remove that file. {MAKE}'


class CacheError(ValueError):
    """A cache that is absent, was made from something else, or whose images have changed."""


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
        _check_packed(packed, storage, f'{path}: {name}, tap {tap}')
        x = unpack(packed, storage.channels)
        return x.clone() if storage.packing == FLOAT16 else x  # not the mapped file


def stored_key(tap: str, name: str, ending: str) -> str:
    """The key of a packed tensor of an image in a shard."""
    return f'{tap}:{name}{ending}'


def _check_packed(packed: Mapping[str, Tensor], storage: Storage, where: str) -> None:
    """Check what unpacking takes as it is.

    Raises:
        CacheError: It was not packed so.
    """
    if storage.packing == EIGHT_BITS:
        _check_eight_bits(packed[INT8], packed[SCALE], where)
    elif storage.packing == FLOAT16:
        x = packed['']
        fits = x.ndim == 3 and x.dtype == torch.float16
        _require(fits, where, _shown(x), 'float16 [C, h, w]')
    else:
        _check_largest(packed[TOP], packed[IDS], storage, where)


def _check_eight_bits(values: Tensor, scale: Tensor, where: str) -> None:
    fits = values.ndim == 3 and values.dtype == torch.int8
    fits = fits and scale.dtype == torch.float32 and scale.shape == values.shape[:1]
    expected = 'int8 [C, h, w] with scales float32 [C]'
    _require(fits, where, f'{_shown(values)} with scales {_shown(scale)}', expected)
    _require(bool((scale > 0).all()), where, f'scales from {scale.min():g}', 'scales above 0')


def _check_largest(values: Tensor, ids: Tensor, storage: Storage, where: str) -> None:
    top, channels = storage.packing, storage.channels
    fits = values.ndim == ids.ndim == 3 and len(values) == top + 1 and len(ids) == top < channels
    fits = fits and values.shape[1:] == ids.shape[1:] and values.dtype == torch.float16
    fits = fits and ids.dtype in (torch.uint8, torch.int16)
    expected = f'those of the {top} largest in float16, channels as uint8 or int16'
    _require(fits, where, f'{_shown(values)} with channels {_shown(ids)}', expected)
    if ids.numel():
        known = 0 <= ids.min() <= ids.max() < channels
        _require(known, where, f'channels {ids.min()} to {ids.max()}', f'those of {channels}')


def _shown(x: Tensor) -> str:
    return f'{str(x.dtype).removeprefix("torch.")} {list(x.shape)}'


def _require(condition: bool, where: str, found: str, expected: str) -> None:
    if not condition:
        raise CacheError(f'{where}: found {found}, expected {expected}. {REMOVE}')


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


def check_format(folder: Path, made_from: Mapping) -> None:
    """Check that a cache is of this version's format.

    Raises:
        CacheError: It is of another.
    """
    if (found := made_from.get('format')) != VERSION:
        raise CacheError(
            f'The teacher cache {folder} is of format {found!r:.80}, that of another version of '
            f'segkd_mm; expected {VERSION}. Remove the folder. {MAKE}'
        )


def storages(index: JsonObject) -> dict[str, Storage]:
    """How the maps of each tap are stored, of an index or of the metadata of a shard.

    Raises:
        JsonFileError: It is damaged.
    """
    taps = {tap: _storage(found, index) for tap, found in index['taps'].items()}
    stride = index['made_from']['stride']
    if not taps or not all(1 <= stride <= one.stride for one in taps.values()):
        raise JsonFileError(
            f'{index.file}: found taps with strides { {k: v.stride for k, v in taps.items()} }, '
            f'expected one tap or more, with strides from made_from.stride={stride} on. {MAKE}'
        )
    return taps


def _storage(found: object, index: JsonObject) -> Storage:
    if not isinstance(found, JsonObject):
        raise JsonFileError(f'{index.file}: found {found!r:.80} in taps. {MAKE}')
    found.check({'channels': int, 'packing': (int, str), 'stride': int})
    storage = Storage(found['channels'], found['packing'], found['stride'])
    packings = FLOAT16, EIGHT_BITS
    numbers = [one for one in vars(storage).values() if one not in packings]
    if not all(isinstance(one, int) and 0 < one <= LARGEST_NUMBER for one in numbers):
        raise JsonFileError(
            f'{index.file}: found {found.place.rstrip(".")}={dict(found)!r:.80}, expected whole '
            f'numbers from 1 to {LARGEST_NUMBER}, or as packing one of {packings}. {MAKE}'
        )
    return storage


def check_image(index: JsonObject, image: object) -> None:
    """Check the record of an image.

    Raises:
        JsonFileError: It is damaged.
    """
    if not isinstance(image, JsonObject):
        raise JsonFileError(f'{index.file}: found {image!r:.80} in images. {MAKE}')
    image.check({'shard': str, 'size': list, 'bytes': int, 'changed': int, 'sha256': str})
    shard, size = image['shard'], image['size']
    if Path(shard).name != shard:
        raise JsonFileError(
            f'{index.file}: found the shard {shard!r:.80}, expected a file beside it. {MAKE}'
        )
    if len(size) != 2 or not all(isinstance(side, int) and side > 0 for side in size):
        raise JsonFileError(f'{index.file}: found {image.place}size={size!r:.80}. {MAKE}')


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
