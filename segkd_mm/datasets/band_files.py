"""Reading of image files of any number of bands and bits: TIFF, .npy, and what OpenCV decodes."""

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import mmcv
import numpy as np

from segkd_mm.image_files import ARRAY
from segkd_mm.libraries import import_library

if TYPE_CHECKING:
    from rasterio.io import DatasetReader

TIFF = '.tif', '.tiff'


def read_bands(file: str | os.PathLike) -> np.ndarray:
    """The pixels of an image file, as they are stored: [H, W, C], bands in the order of the file.

    An array in a .npy file is given out as it is, but for [H, W], which becomes [H, W, 1].

    Raises:
        FileNotFoundError: No such file.
        ImportError: A TIFF, and rasterio is not installed.
        Exception: Of the decoder, if the file is damaged or of another kind.
    """
    suffix = Path(file).suffix.lower()
    if suffix == ARRAY:
        return with_channels(np.load(file, allow_pickle=False))
    if suffix in TIFF:
        with opened_tiff(file) as tiff:
            return tiff.read().transpose(1, 2, 0)
    pixels = mmcv.imread(file, 'unchanged', backend='cv2')
    if pixels is None:
        raise ValueError('no image')
    pixels = with_channels(pixels)
    # OpenCV gives the colours as BGR.
    return np.concatenate([pixels[..., 2::-1], pixels[..., 3:]], 2)


def with_channels(pixels: np.ndarray) -> np.ndarray:
    """Pixels [H, W] as [H, W, 1]; others as they are."""
    return pixels[..., None] if pixels.ndim == 2 else pixels


@contextmanager
def opened_tiff(file: str | os.PathLike) -> Iterator['DatasetReader']:
    """A TIFF file, opened by rasterio, which can read parts of it."""
    rasterio = import_library('rasterio', 'large')
    with warnings.catch_warnings():
        warnings.simplefilter('ignore', rasterio.errors.NotGeoreferencedWarning)
        with rasterio.open(file, driver='GTiff') as opened:
            yield opened
