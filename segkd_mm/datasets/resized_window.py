"""A crop of a resized image or mask, computed without resizing the rest of it."""

import math

import cv2
import numpy as np

# Distance in pixels of the image below which two pixel borders count as the same.
TOLERANCE = 1 / 128


def image_window(
    image: np.ndarray, size: tuple[int, int], window: tuple[slice, slice]
) -> np.ndarray:
    """Compute ``cv2.resize(image, size)[window]``, bilinear, from the needed part of the image.

    Positions are exact to 1/128 of a pixel of the image: the resized part starts where a pixel
    border of the resized image coincides with one of the image.

    Args:
        image: [H, W, C].
        size: Width and height of the complete image after resizing.
        window: Rows and columns of the resized image.
    """
    zoom = size[0] / image.shape[1], size[1] / image.shape[0]
    rows, columns = window
    top, left = _common_border(rows.start, zoom[1]), _common_border(columns.start, zoom[0])
    part = image[_source(top, rows.stop, zoom[1]), _source(left, columns.stop, zoom[0])]
    # With factors instead of a size, cv2 does not round the zoom to whole pixels of the part.
    resized = cv2.resize(part, None, fx=zoom[0], fy=zoom[1], interpolation=cv2.INTER_LINEAR)
    return resized[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]


def _common_border(start: int, zoom: float) -> int:
    """The last pixel border before ``start`` that coincides with one of the image; at least 0."""
    # The first pixel of the window is interpolated between two pixels of the image.
    borders = np.arange(max(start - math.ceil(zoom / 2), 0), -1, -1)
    gaps = borders / zoom
    return int(borders[np.argmax(abs(gaps - gaps.round()) < TOLERANCE)])


def _source(start: int, stop: int, zoom: float) -> slice:
    return slice(round(start / zoom), math.ceil(stop / zoom) + 1)


def nearest_indices(old: int, new: int) -> np.ndarray:
    """Indices of the source pixels that ``cv2.resize`` with ``INTER_NEAREST`` takes, [new]."""
    return np.minimum(np.arange(new) * (1 / (new / old)), old - 1).astype(int)
