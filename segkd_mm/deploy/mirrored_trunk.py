"""Trunks of timm with TensorFlow's "SAME" padding, computed without it: on the mirrored image.

Where a convolution has stride 2, TensorFlow pads an even side more at its end. Mirrored, that is
more at the start, as of a convolution with equal padding whose last window lies inside the image;
an odd side is padded equally anyway. So the trunk with mirrored kernels and equal padding gives, of
the mirrored image, the mirrored features. Padding that depends on the size of the image is slow to
export (torch.export simplified timm's expressions for four minutes without an end), has to be
copied, and hides the number of channels from OpenVINO, which then fails in int8.
"""

from copy import deepcopy

import torch
from timm.layers import Conv2dSame
from torch import Tensor, nn

CHECKED_SIZES = (64, 96), (81, 115)  # even and odd sides
TOLERANCE = 1e-3  # of the largest feature; other sums in float32 differ by 1e-6


class MirroredTrunk(nn.Module):
    """A trunk that computes on the mirrored image.

    The mirrored kernels are under other keys than the trunk's, so that none takes them for its own.

    Args:
        trunk: Of images [N, C, H, W] to a feature or a list of them; it is not changed.
    """

    def __init__(self, trunk: nn.Module) -> None:
        super().__init__()
        self.mirrored = deepcopy(trunk)
        for module in self.mirrored.modules():
            if isinstance(module, nn.Conv2d):
                _mirror(module)

    def forward(self, x: Tensor) -> Tensor | list[Tensor]:
        """The features of the trunk."""
        features = self.mirrored(x.flip(2, 3))
        if isinstance(features, Tensor):
            return features.flip(2, 3)
        return [feature.flip(2, 3) for feature in features]


def without_same_padding(trunk: nn.Module) -> nn.Module:
    """A trunk in eval mode with the same features and no ``Conv2dSame``; itself if it has none.

    It is also returned as it is if its features are others than those of the mirrored one: with
    strides above 2, even kernels, or pooling that pads likewise.
    """
    convs = [module for module in trunk.modules() if isinstance(module, nn.Conv2d)]
    if not any(isinstance(conv, Conv2dSame) for conv in convs):
        return trunk
    mirrored = MirroredTrunk(trunk).eval()
    return mirrored if _are_equal(trunk, mirrored, convs[0].in_channels) else trunk


def _mirror(conv: nn.Conv2d) -> None:
    """Mirror the kernels of a convolution, and give it equal padding."""
    if isinstance(conv, Conv2dSame):
        sides = zip(conv.kernel_size, conv.dilation, strict=True)
        conv.padding = tuple((size - 1) * dilation // 2 for size, dilation in sides)
        conv.__class__ = nn.Conv2d
    conv.weight.data = conv.weight.data.flip(2, 3)


@torch.no_grad()
def _are_equal(trunk: nn.Module, other: nn.Module, channels: int) -> bool:
    """Whether two trunks give the same features of noise, at several sizes."""
    like, generator = next(trunk.parameters()), torch.Generator().manual_seed(0)
    for size in CHECKED_SIZES:
        noise = torch.rand(1, channels, *size, generator=generator).to(like)
        for one, two in zip(_listed(trunk(noise)), _listed(other(noise)), strict=True):
            if one.shape != two.shape or (one - two).abs().max() > TOLERANCE * one.abs().max():
                return False
    return True


def _listed(features: Tensor | list[Tensor]) -> list[Tensor]:
    return [features] if isinstance(features, Tensor) else features
