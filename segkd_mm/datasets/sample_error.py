"""Error of an image or mask file that cannot be right, and its message."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import cv2
import mmcv
import numpy as np

from segkd_mm.datasets.band_files import read_bands


# One argument, the message, as DataLoader raises it again from a worker.
class SampleError(ValueError):
    """Error of an image or mask whose content cannot be right.

    Attributes:
        parts: The file, what was found, what was expected, and what to do; of an error that
            :func:`sample_error` built, in the process that built it.
    """

    parts: dict[str, str]


def sample_error(file: str | os.PathLike, found: str, expected: str, advice: str) -> SampleError:
    """Build the error of a file from what was found, what was expected and what to do."""
    error = SampleError(f'{file}: found {found}, expected {expected}. {advice}')
    error.parts = {'file': str(file), 'found': found, 'expected': expected, 'what to do': advice}
    return error


@contextmanager
def named_image_errors(file: str | os.PathLike) -> Iterator[None]:
    """Context in which an error names the image file if that is what cannot be read.

    The libraries name no file when one is empty, and say nothing more when one is cut short.

    Raises:
        SampleError: In place of any other error, if the image cannot be decoded or resized.
    """
    try:
        yield
    except SampleError:
        raise
    except Exception as error:
        if os.path.isfile(file) and not _can_be_decoded(file):
            raise unreadable(file, os.path.getsize(file)) from error
        if str(error).startswith('failed to load image'):  # of LoadImageFromFile
            raise sample_error(
                file, 'an image that LoadImageFromFile cannot decode', 'three channels of 8 bits',
                "Load it by dict(type='LoadBands', channels=...): docs/your_data.md.",
            ) from error  # fmt: skip
        if isinstance(error, cv2.error):
            raise sample_error(
                file, f'an image that OpenCV cannot transform ({str(error).strip()[-160:]})',
                'one that the pipeline can resize', 'Remove it: it may be only a pixel wide.',
            ) from error  # fmt: skip
        raise


def check_size(image: np.ndarray, file: str | os.PathLike) -> None:
    """Check that an image [H, W, ...] can be resized and cropped.

    Raises:
        SampleError: It is only a pixel wide or high.
    """
    height, width = image.shape[:2]
    if min(height, width) < 2:
        found = f'{width} x {height} pixels'
        raise sample_error(file, found, 'at least 2 x 2', 'Remove it, and its mask.')


def unreadable(file: str | os.PathLike, size: int) -> SampleError:
    """Build the error of a file of ``size`` bytes that cannot be decoded."""
    found = f'{size} bytes that cannot be decoded' if size else 'an empty file'
    advice = 'It is cut short or damaged: copy it again, or remove it.'
    return sample_error(file, found, 'a whole image', advice)


def _can_be_decoded(file: str | os.PathLike) -> bool:
    for decode in mmcv.imread, read_bands:
        with suppress(Exception):
            if decode(file) is not None:
                return True
    return False
