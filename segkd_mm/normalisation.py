"""Normalisation of an mmseg data preprocessor, and the number of channels of a model's images."""

from typing import NamedTuple

from torch import nn

CHANNELS = 3  # of a model that does not say it


class Normalisation(NamedTuple):
    """Normalisation of images in mmseg's ``SegDataPreProcessor``.

    Attributes:
        bgr_to_rgb: Whether the order of the channels is reversed, of images with three.
        mean: Mean of each channel, after that, in pixel values; one value holds for all channels.
        std: Standard deviation of each channel, likewise.
    """

    bgr_to_rgb: bool
    mean: list[float]
    std: list[float]


def normalisation_of(preprocessor: nn.Module, channels: int = CHANNELS) -> Normalisation:
    """Read the normalisation of a preprocessor; identity if the module has none."""
    bgr_to_rgb = getattr(preprocessor, '_channel_conversion', False)
    if not getattr(preprocessor, '_enable_normalize', False):
        return Normalisation(bgr_to_rgb, [0.0] * channels, [1.0] * channels)
    mean, std = preprocessor.mean.flatten().tolist(), preprocessor.std.flatten().tolist()
    return Normalisation(bgr_to_rgb, mean, std)


def channels_of(model: nn.Module) -> int:
    """Number of channels of the images that a segmentor takes.

    That of the values in its preprocessor's mean; where that has none or one for all, that of its
    first convolution.
    """
    mean = getattr(getattr(model, 'data_preprocessor', None), 'mean', None)
    if mean is not None and mean.numel() > 1:
        return mean.numel()
    convs = (module for module in model.modules() if isinstance(module, nn.Conv2d))
    return next((conv.in_channels for conv in convs), CHANNELS)
