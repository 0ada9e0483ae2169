"""The normalisation of a data preprocessor: channel order, mean and std."""

from typing import NamedTuple

from torch import nn


class Normalisation(NamedTuple):
    """What mmseg's ``SegDataPreProcessor`` does to the pixels of an image, padding aside.

    Attributes:
        bgr_to_rgb: Whether it reverses the order of the channels.
        mean: Of each channel after that, in pixel values of 0 to 255.
        std: Likewise.
    """

    bgr_to_rgb: bool
    mean: list[float]
    std: list[float]


def normalisation_of(preprocessor: nn.Module) -> Normalisation:
    """Read it from a preprocessor; that of a module without one leaves images as they are."""
    swaps = getattr(preprocessor, '_channel_conversion', False)
    if not getattr(preprocessor, '_enable_normalize', False):
        return Normalisation(swaps, [0.0] * 3, [1.0] * 3)
    mean, std = preprocessor.mean.flatten().tolist(), preprocessor.std.flatten().tolist()
    return Normalisation(swaps, mean, std)
