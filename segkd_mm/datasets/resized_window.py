"""A window of a resized image or mask, without resizing the rest of it."""

import math

import cv2
import numpy as np

# How far apart, in pixels of the image, two pixel borders are that count as one.
NEAR = 1 / 128


def image_window(
    image: np.ndarray, size: tuple[int, int], window: tuple[slice, slice]
) -> np.ndarray:
    """``cv2.resize(image, size)[window]``, bilinear, of the part of the image that shows in it.

    Places are exact to 1/128 of a pixel of the image: what is resized begins where a border of
    pixels of the resized image meets one of the image's.

    Args:
        image: H x W x C.
        size: Width and height of the whole image when resized.
        window: Rows and columns of the resized image.
    """
    zoom = size[0] / image.shape[1], size[1] / image.shape[0]
    rows, columns = window
    top, left = _meeting(rows.start, zoom[1]), _meeting(columns.start, zoom[0])
    part = image[_source(top, rows.stop, zoom[1]), _source(left, columns.stop, zoom[0])]
    # Given the zoom, not a size, cv2 does not round it to whole pixels of the part.
    resized = cv2.resize(part, None, fx=zoom[0], fy=zoom[1], interpolation=cv2.INTER_LINEAR)
    return resized[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]


def _meeting(start: int, zoom: float) -> int:
    """The last border of pixels before ``start`` that meets one of the image's; 0 is the first."""
    # The first pixel of the window mixes two of the image's, and both have to be there.
    borders = np.arange(max(start - math.ceil(zoom / 2), 0), -1, -1)
    gaps = borders / zoom
    return int(borders[np.argmax(abs(gaps - gaps.round()) < NEAR)])


def _source(start: int, stop: int, zoom: float) -> slice:
    return slice(round(start / zoom), math.ceil(stop / zoom) + 1)


def nearest(old: int, new: int) -> np.ndarray:
    """Which of ``old`` pixels ``cv2.resize`` takes for each of ``new``, by ``INTER_NEAREST``."""
    return np.minimum(np.arange(new) * (1 / (new / old)), old - 1).astype(int)
