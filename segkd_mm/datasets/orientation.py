"""EXIF orientation: images are loaded upright, and a mask must be so, too.

Image loaders turn an image as its EXIF tag says; a mask has no such tag. Of an image taken upright,
whose sides are swapped, the size of the mask shows whether it was drawn on the picture as viewers
show it or on the pixels as they are stored; a mask of the stored pixels is turned like its image.
Where the size does not show it, nothing does, and that is an error.
"""

from functools import lru_cache

import numpy as np
from PIL import ExifTags, Image

from segkd_mm.datasets.sample_error import SampleError, sample_error

# Pillow takes larger images for attacks, from 179 million pixels on; this is OpenCV's bound.
Image.MAX_IMAGE_PIXELS = 2**30

UPRIGHT = 1
# What turns stored pixels upright, of the orientations that swap the sides.
TURNS = {
    5: lambda pixels: pixels.T,
    6: lambda pixels: np.rot90(pixels, -1),
    7: lambda pixels: np.rot90(pixels, 2).T,
    8: np.rot90,
}
# JPEG and PNG name their EXIF data near the start; WebP (RIFF) and TIFF may have them anywhere.
MARKS = (b'Exif', b'eXIf', b'RIFF', b'II*\0', b'MM\0*')
HEAD = 4096  # bytes


def upright_mask(mask: np.ndarray, mask_file: str, image_file: str, size: tuple) -> np.ndarray:
    """The mask as it lies on its upright image of ``size`` (height, width).

    Raises:
        SampleError: Their sizes differ; or the image has an orientation, and nothing shows whether
            the mask has it, too.
    """
    orientation = orientation_of(image_file)
    swaps = orientation in TURNS and size[0] != size[1]
    if swaps and mask.shape == size[::-1]:
        return np.ascontiguousarray(TURNS[orientation](mask))
    if mask.shape != size:
        turned = f' (turned upright by its EXIF orientation {orientation})' * (orientation > 1)
        raise other_size(mask_file, mask.shape, f'{image_file}{turned}', size)
    if orientation != UPRIGHT and not swaps:
        raise sample_error(
            image_file, f'the EXIF orientation {orientation}',
            f'an image without one: nothing shows whether its mask {mask_file} is turned, too',
            'If the mask fits the picture as viewers show it: mogrify -auto-orient IMAGE. If it '
            'fits the pixels as they are stored: exiftool -Orientation= IMAGE.',
        )  # fmt: skip
    return mask


# A worker opens each file once: this is half of the cost of a check.
@lru_cache(maxsize=1 << 16)
def orientation_of(file: str) -> int:
    """The EXIF orientation of an image file, 1 to 8."""
    try:
        with open(file, 'rb', buffering=0) as stream:
            head = stream.read(HEAD)
            if not any(mark in head for mark in MARKS):
                return UPRIGHT
            with Image.open(stream) as image:
                found = image.getexif().get(ExifTags.Base.Orientation, UPRIGHT)
    except OSError:  # not a local file, or none that Pillow knows
        return UPRIGHT
    return found if found in range(1, 9) else UPRIGHT


def other_size(mask_file: str, size: tuple, image_file: str, expected: tuple) -> SampleError:
    """Build the error of a mask of another size (height, width) than its image."""
    return sample_error(
        mask_file, _pixels(size), f'{_pixels(expected)} as its image {image_file}',
        'A mask must have the size of its image: check that they belong together.',
    )  # fmt: skip


def _pixels(size: tuple) -> str:
    return f'{size[1]} x {size[0]} pixels'
