"""Decode head: light ASPP with a decoder of depthwise-separable convs."""

from itertools import pairwise

from mmseg.registry import MODELS
from torch import nn

from segkd_mm.heads.light_aspp import LightASPPHead


@MODELS.register_module()
class DepthwiseDecoderHead(LightASPPHead):
    """:class:`LightASPPHead` whose decoder steps are depthwise 3x3 then pointwise convs.

    Norm and activation follow only the pointwise conv, as in the slim student that uses this head.
    The arguments are those of :class:`LightASPPHead`.
    """

    def _refine(self, in_channels: int) -> list[nn.Module]:
        widths = [in_channels] + self.num_convs * [self.channels]
        return [self.separable_conv(i, o, 3, padding=1) for i, o in pairwise(widths)]
