"""Check that images which are loaded as three channels of 8 bits are stored so."""

import os
from collections.abc import Iterable

import cv2
import numpy as np
from mmcv.transforms import LoadImageFromFile
from mmengine import fileio

from segkd_mm.datasets.bands import LoadBands
from segkd_mm.datasets.sample_error import sample_error
from segkd_mm.image_files import ARRAY

PNG, PNG_DEPTH = b'\x89PNG', 24  # its first bytes, and where the bits of a pixel stand
DEEP = ('.png', '.tif', '.tiff', '.ppm', '.pgm')  # may hold more than 8 bits


def reduces_bits(steps: Iterable[object]) -> bool:
    """Whether a pipeline loads images by OpenCV's colour mode, which keeps the upper 8 bits."""
    loaders = [step for step in steps if isinstance(step, LoadImageFromFile)]
    return any(not isinstance(one, LoadBands) and one.color_type == 'color' for one in loaders)


def check_eight_bits(file: str | os.PathLike) -> None:
    """Check that an image loses nothing if it is loaded as three channels of 8 bits.

    A file that cannot be decoded passes: its loader names it.

    Raises:
        SampleError: It has more bits, or is an array in a .npy file.
    """
    name = str(file).lower()
    if name.endswith(ARRAY):
        raise _not_eight_bits(file, 'an array')
    if not name.endswith(DEEP):
        return
    content = fileio.get(str(file))
    if content.startswith(PNG) and content[PNG_DEPTH : PNG_DEPTH + 1] <= b'\x08':
        return  # without decoding it
    encoded = np.frombuffer(content, np.uint8)
    pixels = cv2.imdecode(encoded, cv2.IMREAD_UNCHANGED) if encoded.size else None
    if pixels is not None and pixels.dtype != np.uint8:
        raise _not_eight_bits(file, f'pixels of {pixels.dtype}, up to {pixels.max():.5g}')


def _not_eight_bits(file: str | os.PathLike, found: str) -> ValueError:
    return sample_error(
        file, found, 'three channels of 8 bits: of others the colour loader keeps the upper 8 bits',
        "Load it by dict(type='LoadBands', channels=...): docs/your_data.md, \"Grey, 16-bit and "
        'multi-band images".',
    )  # fmt: skip
