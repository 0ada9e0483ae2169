"""The folder of a teacher cache: how it is laid out and read.

``index.json`` says what the logits were made from and which images there are; the shards beside it
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

from segkd_mm.commands import command
from segkd_mm.json_files import JsonFileError, JsonObject, read_object
from segkd_mm.whole_image.packing import IDS, TOP, unpack

VERSION = 2  # of the format; 2: maps are resized by torch's antialiased interpolation
INDEX = 'index.json'
SHOWN = 5  # differences in a message
MAKE = f'Make it (again) with: {command("cache")} CONFIG'
REMOVE = f'Remove that file. {MAKE}'


class CacheError(ValueError):
    """A cache that is absent, was made from something else, or whose images have changed."""


class TeacherCache:
    """The stored logits of one tap of a teacher on the images of a data set.

    Args:
        folder: Where ``tools/cache_teacher.py`` put them.

    Attributes:
        index: What is in ``index.json``.
        channels: Of the logits.
        stride: Of the logits, in pixels of the image.

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
        self.index = _checked_index(path)
        self.channels: int = self.index['channels']
        self.stride: int = self.index['made_from']['stride']
        self._names: dict[str, str] = {}
        self._checked: set[str] = set()  # images whose logits are whole

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

    def read(self, path: str, size: tuple[int, int]) -> Tensor:
        """The logits of an image, float16 [C, h, w], which cover the whole of it.

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
        logits = self._unpacked(self.folder / image['shard'], name)
        if name not in self._checked:
            self._check_logits(logits, size, f'{self.folder / image["shard"]}: {name}')
            self._checked.add(name)
        return logits.clone() if self.index['top'] is None else logits  # not the mapped file

    def _check_logits(self, logits: Tensor, size: tuple[int, int], where: str) -> None:
        """Check the shape, which may be coarser than the stride as a teacher's is, and the values.

        Raises:
            CacheError: They cannot be logits of an image of this size.
        """
        finest = self.channels, *(ceil(side / self.stride) for side in size)
        channels, *sides = logits.shape
        fits = channels == self.channels and all(map(int.__le__, sides, finest[1:]))
        if not (fits and logits.numel() and logits.isfinite().all()):
            found = 'NaN or infinity' if fits and logits.numel() else list(logits.shape)
            raise CacheError(
                f'{where}: found {found} as logits, expected finite numbers {list(finest)}, or '
                f'fewer rows and columns. {REMOVE}'
            )

    def _unpacked(self, path: Path, name: str) -> Tensor:
        top = self.index['top']
        try:
            shard = _open(str(path))
            endings = ('',) if top is None else (TOP, IDS)
            packed = {ending: shard.get_tensor(name + ending) for ending in endings}
        except (OSError, SafetensorError) as error:
            raise CacheError(f'{path} cannot be read ({error}). {REMOVE}') from error
        if top is not None:
            _check_packed(packed, top, self.channels, f'{path}: {name}')
        return unpack(packed, self.channels)


def _check_packed(packed: Mapping[str, Tensor], top: int, channels: int, where: str) -> None:
    """Check the shapes and the channels of packed logits, which unpacking takes as they are."""
    values, ids = packed[TOP], packed[IDS]
    shapes = values.ndim == ids.ndim == 3 and len(values) == top + 1 and len(ids) == top
    if not shapes or values.shape[1:] != ids.shape[1:] or not 0 < top < channels:
        found = f'{list(values.shape)} values and {list(ids.shape)} channels'
        raise CacheError(f'{where}: found {found}, expected those of the {top} largest. {REMOVE}')
    if ids.is_floating_point() or (ids.numel() and not 0 <= ids.min() <= ids.max() < channels):
        raise CacheError(f'{where}: found channels beyond the {channels} of the teacher. {REMOVE}')


def _checked_index(path: Path) -> JsonObject:
    """The content of an index, with the types of what is read of it.

    Raises:
        CacheError: It is damaged.
    """
    try:
        index = read_object(path, 'the index of a teacher cache', MAKE)
        index.check({'channels': int, 'top': (int, type(None)), 'made_from': dict, 'images': dict})
        index['made_from'].check({'stride': int})
        for image in index['images'].values():
            _check_image(index, image)
        if min(index['channels'], index['made_from']['stride'], index['top'] or 1) < 1:
            raise JsonFileError(f'{path}: found channels, stride or top below 1. {MAKE}')
        return index
    except JsonFileError as error:
        raise CacheError(str(error)) from error


def _check_image(index: JsonObject, image: object) -> None:
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
