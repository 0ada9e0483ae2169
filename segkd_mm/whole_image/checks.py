"""Checks of what a teacher cache holds, which its readers take as it is."""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from segkd_mm.commands import command
from segkd_mm.json_files import JsonFileError, JsonObject
from segkd_mm.whole_image.packing import EIGHT_BITS, FLOAT16, IDS, INT8, SCALE, TOP, Storage

# Of the format; 2: maps are resized by torch's antialiased interpolation; 3: of several taps.
VERSION = 3
LARGEST_NUMBER = 2**16  # of channels, and of a stride
MAKE = f'Make it (again) with: {command("cache")} CONFIG'
REMOVE = f'Remove that file. {MAKE}'


class CacheError(ValueError):
    """A cache that is absent, was made from something else, or whose images have changed."""


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


def check_metadata(metadata: JsonObject) -> None:
    """Check the types of what is read of a shard's metadata.

    Raises:
        JsonFileError: It is damaged.
    """
    metadata.check({'loader': str, 'taps': dict, 'images': dict, 'confusion': list})
    metadata['made_from'].check({'stride': int, 'taps': list})
    storages(metadata)
    for image in metadata['images'].values():
        check_image(metadata, image)
    rows = metadata['confusion']
    square = all(isinstance(row, list) and len(row) == len(rows) for row in rows)
    if not (rows and square and all(isinstance(one, int) for row in rows for one in row)):
        raise JsonFileError(
            f'{metadata.file}: found confusion={rows!r:.80}, expected rows of whole numbers, as '
            f'many as columns. {REMOVE}'
        )
    if (found := metadata['made_from']['taps']) != (expected := sorted(metadata['taps'])):
        raise JsonFileError(
            f'{metadata.file}: found made_from.taps={found!r:.80}, expected {expected}. {REMOVE}'
        )


def check_packed(packed: Mapping[str, Tensor], storage: Storage, where: str) -> None:
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
