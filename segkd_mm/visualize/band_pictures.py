"""Pictures of image files for people: RGB of 8 bits, of whatever bands and bits they have."""

import os

import cv2
import numpy as np
from mmcv.image import imread

from segkd_mm.datasets.band_files import read_bands

DEPTH = cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH
PERCENTILES = 2, 98  # become black and white
SAMPLED = 500  # rows and columns of which they are computed


def read_picture(file: str | os.PathLike) -> np.ndarray:
    """Read an image file as RGB uint8 [H, W, 3].

    Images of 8 bits are as viewers show them, turned by their EXIF orientation; of others see
    :func:`picture_of_bands`.

    Raises:
        ImportError: A TIFF that OpenCV cannot read, and rasterio is not installed.
        OSError: No such file, or it cannot be decoded.
    """
    try:
        pixels = imread(file, DEPTH, backend='cv2')
    except cv2.error:  # of an empty file
        pixels = None
    if pixels is not None and pixels.dtype == np.uint8:
        return pixels[..., ::-1]
    try:
        return picture_of_bands(read_bands(file))
    except (ImportError, OSError):
        raise
    except Exception as error:  # decoders raise all kinds
        raise OSError('damaged, or no image') from error


def picture_of_bands(bands: np.ndarray) -> np.ndarray:
    """The first three bands of an image [H, W, C] as RGB uint8 [H, W, 3], or its first as grey.

    Each is stretched, so that 2 % of its values are black and 2 % white.
    """
    shown = bands[..., :3] if bands.shape[2] >= 3 else bands[..., :1]
    rows, columns = (max(side // SAMPLED, 1) for side in shown.shape[:2])
    low, high = np.percentile(shown[::rows, ::columns].astype(np.float32), PERCENTILES, (0, 1))
    share = (shown - low) / np.maximum(high - low, np.finfo(np.float32).tiny)
    picture = (255 * np.clip(share, 0, 1)).round().astype(np.uint8)
    return np.broadcast_to(picture, (*picture.shape[:2], 3))
