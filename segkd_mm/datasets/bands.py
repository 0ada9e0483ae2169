"""Loading of images that are not three channels of 8 bits, with a check of each."""

import os

import numpy as np
from mmcv.transforms import LoadImageFromFile
from mmseg.registry import TRANSFORMS

from segkd_mm.datasets.band_files import read_bands, with_channels
from segkd_mm.datasets.orientation import UPRIGHT, orientation_of
from segkd_mm.datasets.sample_error import sample_error


@TRANSFORMS.register_module()
class LoadBands(LoadImageFromFile):
    """Load an image of any number of bands and bits as float32 [H, W, channels].

    It takes the place of ``LoadImageFromFile``. The bands have the order of the file (a colour
    image is RGB, not BGR) and its values. It reads .npy files of arrays [H, W] or [H, W, channels],
    TIFF files by rasterio, and what OpenCV reads. With ``results['img']`` there, such an array, no
    file is read.

    Args:
        channels: Number of bands.

    Raises:
        ImportError: At the call: a TIFF file, and rasterio is not installed.
        SampleError: At the call: the file cannot be decoded, has another number of bands or an EXIF
            orientation, or holds values that are no finite numbers.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        if channels < 1:
            raise ValueError(f'LoadBands: channels is {channels}, expected 1 or more.')
        self.channels = channels

    def transform(self, results: dict) -> dict:
        file = results.get('img_path', 'The image')
        pixels = with_channels(results['img']) if 'img' in results else load_pixels(file)
        results['img'] = checked_bands(pixels, self.channels, file)
        results['img_shape'] = results['ori_shape'] = results['img'].shape[:2]
        return results

    def __repr__(self) -> str:
        return f'LoadBands(channels={self.channels})'


def checked_bands(pixels: np.ndarray, channels: int, file: str | os.PathLike) -> np.ndarray:
    """Pixels [H, W, channels] as float32.

    Raises:
        SampleError: They have another shape, or are no finite numbers.
    """
    if pixels.ndim != 3 or pixels.shape[2] != channels:
        first = pixels.ndim == 3 and pixels.shape[0] == channels
        raise sample_error(
            file, f'{list(pixels.shape)} of {pixels.dtype}',
            f'[H, W, {channels}]' + ' or [H, W]' * (channels == 1),
            'Its bands come first: save numpy.moveaxis(array, 0, -1).' if first else
            'Convert it, or set the `channels` of the loader, and the mean and std, to its bands.',
        )  # fmt: skip
    if pixels.dtype.kind not in 'buif':
        raise sample_error(file, f'values of {pixels.dtype}', 'real numbers', 'Convert it.')
    with np.errstate(over='ignore'):  # found below
        bands = pixels.astype(np.float32)
    if pixels.dtype.kind == 'f' and not np.isfinite(bands).all():
        count = np.count_nonzero(~np.isfinite(bands))
        raise sample_error(
            file, f'{count} values that are NaN or infinite', 'finite numbers',
            'Put a number in their place, and void in the mask.',
        )  # fmt: skip
    return bands


def check_upright(file: str | os.PathLike) -> None:
    """Check that an image is read as it is shown.

    Raises:
        SampleError: It has an EXIF orientation.
    """
    if (orientation := orientation_of(file)) != UPRIGHT:
        raise sample_error(
            file, f'the EXIF orientation {orientation}', 'none: the stored pixels are used',
            'Remove it: exiftool -Orientation= IMAGE.',
        )  # fmt: skip


def load_pixels(file: str | os.PathLike) -> np.ndarray:
    """The stored pixels of an image file: :func:`segkd_mm.datasets.band_files.read_bands`.

    Raises:
        FileNotFoundError: No such file.
        ImportError: A TIFF, and rasterio is not installed.
        SampleError: It cannot be decoded, or has an EXIF orientation.
    """
    check_upright(file)
    try:
        return read_bands(file)
    except (FileNotFoundError, ImportError):
        raise
    except Exception as error:  # decoders raise all kinds
        raise sample_error(
            file, f'{os.path.getsize(file)} bytes that cannot be decoded ({error})',
            'a whole image', 'It is damaged or of another kind: copy it again, or remove it.',
        ) from error  # fmt: skip
