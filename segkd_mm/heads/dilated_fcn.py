"""Decode head of two convs, the second dilated."""

from collections.abc import Sequence
from typing import Any

from mmcv.cnn import ConvModule
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from mmseg.registry import MODELS
from torch import Tensor, nn


@MODELS.register_module()
class DilatedFCNHead(BaseDecodeHead):
    """1x1 conv to few channels, dilated 3x3 conv, dropout, 1x1 classifier.

    mmseg's FCNHead has no 1x1 conv first, so that its dilated conv works on all channels of a deep
    trunk and costs several times as much.

    Source: the MobileNetV3-Large student that this toolbox reproduces (docs/systems.md).

    Args:
        in_channels: Channels of the input.
        channels: Channels of both convs.
        dilation: Dilation of the 3x3 conv.
        **kwargs: Arguments of mmseg's BaseDecodeHead.
    """

    def __init__(
        self,
        in_channels: int,
        channels: int,
        dilation: int = 6,
        norm_cfg: dict | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(in_channels, channels, norm_cfg=norm_cfg or dict(type='BN'), **kwargs)
        cfgs = dict(norm_cfg=self.norm_cfg, act_cfg=self.act_cfg)
        self.convs = nn.Sequential(
            ConvModule(in_channels, channels, 1, **cfgs),
            ConvModule(channels, channels, 3, padding=dilation, dilation=dilation, **cfgs),
        )

    def forward(self, inputs: Sequence[Tensor]) -> Tensor:
        """Compute logits [N, num_classes, H, W] at the stride of the input."""
        return self.cls_seg(self.convs(self._transform_inputs(inputs)))
