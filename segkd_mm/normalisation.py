"""Normalisation of an mmseg data preprocessor: channel order, mean and std."""

from typing import NamedTuple

from torch import nn


class Normalisation(NamedTuple):
    """Normalisation of images in mmseg's ``SegDataPreProcessor``.

    Attributes:
        bgr_to_rgb: Whether the order of the channels is reversed.
        mean: Mean of each channel, after that, in pixel values of 0 to 255.
        std: Standard deviation of each channel, likewise.
    """

    bgr_to_rgb: bool
    mean: list[float]
    std: list[float]


def normalisation_of(preprocessor: nn.Module) -> Normalisation:
    """Read the normalisation of a preprocessor; identity if the module has none."""
    bgr_to_rgb = getattr(preprocessor, '_channel_conversion', False)
    if not getattr(preprocessor, '_enable_normalize', False):
        return Normalisation(bgr_to_rgb, [0.0] * 3, [1.0] * 3)
    mean, std = preprocessor.mean.flatten().tolist(), preprocessor.std.flatten().tolist()
    return Normalisation(bgr_to_rgb, mean, std)
