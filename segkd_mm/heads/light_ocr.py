"""Decode head: object-contextual representations (OCR) with few channels."""

from collections.abc import Sequence
from typing import Any

from mmcv.cnn import ConvModule, DepthwiseSeparableConvModule
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from mmseg.models.decode_heads.ocr_head import ObjectAttentionBlock, SpatialGatherModule
from mmseg.registry import MODELS
from mmseg.utils import SampleList
from torch import Tensor, nn


@MODELS.register_module()
class LightOCRHead(BaseDecodeHead):
    """OCR (arXiv 1909.11065) in one head: soft object regions, their features, attention to them.

    The gather and attention blocks are mmseg's. mmseg's OCRHead needs a second head for the regions
    and a dense 3x3 conv; here a 1x1 conv makes the regions and a depthwise-separable 3x3 conv the
    features.

    Args:
        in_channels: Channels of the input.
        channels: Channels of the pixel features.
        ocr_channels: Channels of the attention's keys and queries.
        region_loss_weight: Weight of the loss on the soft regions, relative to that on the logits.
        **kwargs: Arguments of mmseg's BaseDecodeHead.
    """

    def __init__(
        self,
        in_channels: int,
        channels: int = 128,
        ocr_channels: int = 64,
        region_loss_weight: float = 0.4,
        norm_cfg: dict | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(in_channels, channels, norm_cfg=norm_cfg or dict(type='BN'), **kwargs)
        cfgs = dict(norm_cfg=self.norm_cfg, act_cfg=self.act_cfg)
        self.region_loss_weight = region_loss_weight
        self.regions = nn.Sequential(
            ConvModule(in_channels, channels, 1, **cfgs),
            nn.Conv2d(channels, self.num_classes, 1),
        )
        self.reduce = DepthwiseSeparableConvModule(in_channels, channels, 3, padding=1, **cfgs)
        self.gather = SpatialGatherModule(scale=1)
        self.attend = ObjectAttentionBlock(channels, ocr_channels, scale=1, conv_cfg=None, **cfgs)

    def forward(self, inputs: Sequence[Tensor]) -> Tensor:
        """Compute logits [N, num_classes, H, W] at the stride of the input."""
        return self._forward(self._transform_inputs(inputs))[0]

    def _forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        regions = self.regions(x)
        features = self.reduce(x)
        features = self.attend(features, self.gather(features, regions))
        return self.cls_seg(features), regions

    def loss(self, inputs: Sequence[Tensor], batch_data_samples: SampleList, train_cfg) -> dict:
        """Compute the losses of the logits and, as ``loss_region``, of the soft regions."""
        logits, regions = self._forward(self._transform_inputs(inputs))
        losses = self.loss_by_feat(logits, batch_data_samples)
        region_losses = self.loss_by_feat(regions, batch_data_samples)
        loss = sum(value for name, value in region_losses.items() if 'loss' in name)
        losses['loss_region'] = self.region_loss_weight * loss
        return losses
