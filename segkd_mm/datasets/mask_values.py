"""Decoding of mask files to class ids, with a check of each value in them."""

from collections.abc import Iterable
from functools import lru_cache

import cv2
import mmcv
import numpy as np

from segkd_mm.datasets.sample_error import SampleError, sample_error, unreadable
from segkd_mm.labels import VOID

INVALID = 254
"""In the place of values that stand for no class: an id that is no class and not void."""
MAX_CLASSES = INVALID
SHOWN = 5  # values in a message
JPEG = b'\xff\xd8\xff'  # its first bytes
Colour = tuple[int, int, int]


class CompleteMap(dict):
    """Label map that lists all that masks may hold beside void.

    Keys are ids in the files or colours, (red, green, blue); values are class ids or ``VOID``. In a
    plain label map of mmseg's, ids that are not listed stay as they are.
    """


def read_mask(
    file: str,
    content: bytes,
    num_classes: int = MAX_CLASSES,
    label_map: dict | None = None,
    reduce_zero_label: bool = False,
) -> np.ndarray:
    """Decode a mask to class ids and ``VOID``, uint8 [H, W].

    Args:
        file: Name of the mask, for errors.
        content: Bytes of the file.
        num_classes: Ids from here on are errors.
        label_map: Class ids by id in the file, as mmseg's; or a :class:`CompleteMap`.
        reduce_zero_label: As of mmseg: 0 is void, and 1 is the class 0.

    Raises:
        SampleError: The file cannot be decoded, or is a JPEG of ids, holds colours where ids are
            expected, numbers that are not whole, or values that stand for no class.
    """
    flag = 'color_ignore_orientation' if _of_colours(label_map) else 'unchanged'
    if not _of_colours(label_map) and content.startswith(JPEG):
        raise sample_error(
            file, 'a JPEG', 'a mask whose ids are stored as they are',
            'JPEG changes ids to other ids. Save the masks as PNG from where they were drawn.',
        )  # fmt: skip
    pixels = _decode(file, content, flag)
    return class_ids(file, pixels, num_classes, label_map, reduce_zero_label)


def class_ids(
    file: str,
    pixels: np.ndarray,
    num_classes: int = MAX_CLASSES,
    label_map: dict | None = None,
    reduce_zero_label: bool = False,
) -> np.ndarray:
    """Class ids and ``VOID``, uint8 [H, W], of the decoded pixels of a mask.

    Args:
        file: As the others of :func:`read_mask`.
        pixels: Numbers [H, W], or RGB [H, W, 3] for a label map of colours.

    Raises:
        SampleError: See :func:`read_mask`.
    """
    if _of_colours(label_map):
        return _ids_of_colours(file, pixels, label_map)
    pixels = _whole_numbers(file, pixels)
    if not label_map and not reduce_zero_label and _are_ids(pixels, num_classes):
        return pixels
    complete = isinstance(label_map, CompleteMap)
    items = tuple((label_map or {}).items())
    lookup = _lookup(num_classes, items, complete, bool(reduce_zero_label))
    ids = cv2.LUT(pixels, lookup[:256]) if pixels.dtype == np.uint8 else lookup[pixels]
    if (ids == INVALID).any():
        raise _invalid_ids(file, pixels, lookup)
    return ids


def count_values(file: str, content: bytes) -> dict[int | Colour, int]:
    """Pixels of each value in a mask: of ids, or of colours (red, green, blue).

    Raises:
        SampleError: The file cannot be decoded, or holds numbers that are not whole.
    """
    pixels = _decode(file, content, 'unchanged')
    if pixels.ndim == 3 and pixels.shape[-1] >= 3:
        codes, counts = np.unique(_codes(pixels[..., 2::-1]), return_counts=True)
        return dict(zip(map(_colour, codes.tolist()), counts.tolist(), strict=True))
    values, counts = np.unique(_whole_numbers(file, pixels), return_counts=True)
    return dict(zip(values.tolist(), counts.tolist(), strict=True))


def _of_colours(label_map: dict | None) -> bool:
    return any(isinstance(value, tuple) for value in label_map or ())


def _decode(file: str, content: bytes, flag: str) -> np.ndarray:
    try:
        return mmcv.imfrombytes(content, flag, channel_order='rgb', backend='pillow')
    except Exception as error:  # Pillow raises OSError, SyntaxError and others
        raise unreadable(file, len(content)) from error


def _whole_numbers(file: str, pixels: np.ndarray) -> np.ndarray:
    """The pixels as uint8 or uint16 [H, W]."""
    if pixels.ndim == 3:
        raise _colours_for_ids(file, pixels)
    if pixels.dtype in (bool, np.uint8):
        return pixels.astype(np.uint8, copy=False)
    low, high = pixels.min(), pixels.max()
    if pixels.dtype.kind == 'f' or low < 0 or high > np.iinfo(np.uint16).max:
        raise sample_error(
            file, f'{pixels.dtype} values from {low} to {high}', 'class ids of 8 or 16 bits',
            'Save the mask as a single-channel PNG of class ids.',
        )  # fmt: skip
    return pixels.astype(np.uint16, copy=False)


def _colours_for_ids(file: str, pixels: np.ndarray) -> SampleError:
    pixels = pixels[..., 2::-1]  # mmcv gives unchanged colours as BGR
    if pixels.shape[-1] < 3 or (pixels == pixels[..., :1]).all():
        found, advice = f'{pixels.shape[-1]} channels', 'Save one channel of the mask, as a PNG.'
    else:
        found = f'{pixels.shape[-1]} channels with the colours {_counted_colours(_codes(pixels))}'
        advice = "For masks of colours use FolderDataset with colors={'CLASS': (R, G, B), ...}."
    return sample_error(file, found, 'one channel of class ids', advice)


def _are_ids(pixels: np.ndarray, num_classes: int) -> bool:
    """Whether all pixels are class ids or void, of 8 bits: the common case, in 10 us."""
    # VOID + 1 is 0 there.
    return pixels.dtype == np.uint8 and (pixels + np.uint8(1)).max() <= num_classes


@lru_cache(maxsize=16)
def _lookup(num_classes: int, items: tuple, complete: bool, reduce_zero_label: bool) -> np.ndarray:
    """The class id of each 16-bit value; ``INVALID`` where there is none."""
    old = np.arange(1 << 16)
    if reduce_zero_label:
        old = np.where((old == 0) | (old == VOID), VOID, old - 1)
    new = np.where(complete & (old != VOID), INVALID, old)
    for value, class_id in items:
        new[old == value] = class_id
    new[(new >= num_classes) & (new != VOID)] = INVALID
    return new.astype(np.uint8)


def _invalid_ids(file: str, pixels: np.ndarray, lookup: np.ndarray) -> SampleError:
    values, counts = np.unique(pixels[lookup[pixels] == INVALID], return_counts=True)
    return sample_error(
        file,
        f'the ids {_counted(values, counts)}',
        f'{_ranges(np.flatnonzero(lookup != INVALID))} (255 is void)',
        'Correct the mask or the list of classes, or map the ids: FolderDataset has '
        f"label_map={{{values[0]}: 'CLASS', ...}} for that, and 'void' where nothing counts.",
    )


def _ranges(values: np.ndarray) -> str:
    """Sorted whole numbers in short: ``0 to 18, 255``."""
    runs = np.split(values, np.flatnonzero(np.diff(values) > 1) + 1)
    return ', '.join(f'{run[0]} to {run[-1]}' if len(run) > 1 else f'{run[0]}' for run in runs)


def _ids_of_colours(file: str, pixels: np.ndarray, label_map: dict[Colour, int]) -> np.ndarray:
    codes = _codes(pixels)
    ids = _colour_lookup(tuple(label_map.items()))[codes]
    if (unknown := ids == INVALID).any():
        raise sample_error(
            file,
            f'the colours {_counted_colours(codes[unknown])}',
            f'those of colors, {", ".join(map(str, label_map))}',
            "Add them to colors (as 'void' where nothing counts). Colours at borders that are none "
            'of them come from JPEG or from smooth resizing: save and resize masks without.',
        )
    return ids


# 16 MB for each list of colours, for a hundredth of the time of a search.
@lru_cache(maxsize=4)
def _colour_lookup(items: tuple[tuple[Colour, int], ...]) -> np.ndarray:
    """The class id of each colour; ``INVALID`` where there is none."""
    lookup = np.full(1 << 24, INVALID, np.uint8)
    for (red, green, blue), class_id in items:
        lookup[red << 16 | green << 8 | blue] = class_id
    return lookup


def _codes(pixels: np.ndarray) -> np.ndarray:
    """A number for each colour of an image [H, W, 3], RGB."""
    red, green, blue = np.moveaxis(pixels.astype(np.uint32), -1, 0)
    return red << 16 | green << 8 | blue


def _counted_colours(codes: np.ndarray) -> str:
    codes, counts = np.unique(codes, return_counts=True)
    return _counted(map(_colour, codes.tolist()), counts)


def _colour(code: int) -> Colour:
    return code >> 16, code >> 8 & 255, code & 255


def _counted(values: Iterable, counts: np.ndarray) -> str:
    """The commonest values, each with its pixels."""
    order = np.argsort(-counts, kind='stable')
    values = list(values)
    shown = [f'{values[i]} ({counts[i]} pixels)' for i in order[:SHOWN]]
    return ', '.join(shown + [f'and {len(values) - SHOWN} more'] * (len(values) > SHOWN))
