"""Decode head of transposed convs on the deepest feature, without skips."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from mmcv.cnn import build_activation_layer, build_norm_layer
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from mmseg.registry import MODELS
from torch import Tensor, nn


@MODELS.register_module()
class TransposedConvHead(BaseDecodeHead):
    """Transposed 3x3 convs of stride 2 with norm and activation, then the 1x1 classifier.

    Each conv doubles the map's height and width. mmseg resizes the logits to the mask if the sizes
    differ, which happens if the image's sides are not multiples of the trunk's stride.

    Source: the MobileNetV2 network for MSRC-v2 that this toolbox reproduces (docs/systems.md).

    Args:
        in_channels: Channels of the input.
        widths: Channels after each transposed conv.
        **kwargs: Arguments of mmseg's BaseDecodeHead.
    """

    def __init__(
        self,
        in_channels: int,
        widths: Sequence[int] = (256, 128, 64, 32, 32),
        norm_cfg: dict | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(in_channels, widths[-1], norm_cfg=norm_cfg or dict(type='BN'), **kwargs)
        self.decoder = nn.Sequential(
            *(self._double(i, o) for i, o in pairwise([in_channels, *widths]))
        )

    def _double(self, in_channels: int, out_channels: int) -> nn.Module:
        return nn.Sequential(
            nn.ConvTranspose2d(in_channels, out_channels, 3, 2, 1, output_padding=1, bias=False),
            build_norm_layer(self.norm_cfg, out_channels)[1],
            build_activation_layer(self.act_cfg),
        )

    def forward(self, inputs: Sequence[Tensor]) -> Tensor:
        """Compute logits [N, num_classes, 2^n H, 2^n W] of [N, in_channels, H, W] with n widths."""
        return self.cls_seg(self.decoder(self._transform_inputs(inputs)))
