"""Mean and standard deviation of the bands of images, counted from the files."""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from segkd_mm.datasets.band_files import with_channels
from segkd_mm.datasets.bands import checked_bands, load_pixels

PIXELS = 2**20  # at once, as float64


class BandStatistics(NamedTuple):
    """Mean and standard deviation of each band, over all pixels of all images."""

    mean: list[float]
    std: list[float]


def band_statistics(files: Iterable[str | Path]) -> BandStatistics:
    """Count the mean and the standard deviation of each band, as ``LoadBands`` loads them.

    Raises:
        SampleError: A file cannot be read, or has other bands than the first.
        ValueError: There is no file.
    """
    count, total, squares, start = 0, 0.0, 0.0, None
    for file in files:
        pixels = with_channels(load_pixels(file))
        channels = pixels.shape[-1] if start is None else len(start)
        pixels = checked_bands(pixels, channels, file).reshape(-1, channels)
        # Distances from a value that is near the mean: their squares lose no digits.
        start = pixels.mean(0, dtype=np.float64) if start is None else start
        for part in np.array_split(pixels, 1 + len(pixels) // PIXELS):
            distances = part - start
            total, squares = total + distances.sum(0), squares + np.square(distances).sum(0)
        count += len(pixels)
    if start is None:
        raise ValueError('There is no image to count the mean and std of.')
    mean = total / count
    std = np.sqrt(squares / count - np.square(mean))
    return BandStatistics((start + mean).tolist(), std.tolist())
