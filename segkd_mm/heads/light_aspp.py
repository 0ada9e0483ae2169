"""Decode head: atrous spatial pyramid pooling (ASPP) with a 1x1 projection, and its blocks."""

from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from typing import Any

import torch
from mmcv.cnn import ConvModule, DepthwiseSeparableConvModule
from mmengine.utils import is_seq_of
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from mmseg.registry import MODELS
from torch import Tensor, nn

from segkd_mm.heads.skip_fusion import SkipFusion


class ImagePool(nn.Module):
    """Image-level branch of ASPP: global mean, 1x1 conv, expanded to the size of the map."""

    def __init__(self, conv: ConvModule) -> None:
        super().__init__()
        self.conv = conv

    def forward(self, x: Tensor) -> Tensor:
        """Map [N, C, H, W] to [N, C', H, W], constant over H and W."""
        pooled = self._conv(x.mean((2, 3), keepdim=True))
        return pooled.expand(-1, -1, *x.shape[2:])

    def _conv(self, pooled: Tensor) -> Tensor:
        # A batch of one has a single value per channel here, which has no variance: it is
        # normalised by the running statistics.
        norm = self.conv.norm
        was_training = norm.training
        norm.train(was_training and len(pooled) > 1)
        out = self.conv(pooled)
        norm.train(was_training)
        return out


class LightASPP(nn.Module):
    """ASPP as in DeepLabV3 (arXiv 1706.05587), with its branches joined by a 1x1 conv.

    mmseg's ASPPHead joins them by a 3x3 conv, which costs nine times as much.

    Args:
        in_channels: Channels of the input.
        channels: Channels of each branch and of the output.
        dilations: Dilations of the 3x3 branches; image pooling and a 1x1 conv are two more.
        conv: Builds a conv with norm and activation: ``conv(in_channels, out_channels, kernel)``.
        dilated: Builds the convs of the 3x3 branches.
    """

    def __init__(
        self,
        in_channels: int,
        channels: int,
        dilations: Sequence[int],
        conv: partial,
        dilated: partial,
    ) -> None:
        super().__init__()
        self.branches = nn.ModuleList(
            [
                ImagePool(conv(in_channels, channels, 1)),
                conv(in_channels, channels, 1),
                *(dilated(in_channels, channels, 3, padding=d, dilation=d) for d in dilations),
            ]
        )
        self.project = conv(len(self.branches) * channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map [N, in_channels, H, W] to [N, channels, H, W]."""
        return self.project(torch.cat([branch(x) for branch in self.branches], dim=1))


@MODELS.register_module()
class LightASPPHead(BaseDecodeHead):
    """Light ASPP on the deepest input, one decoder step per skip, then the classifier.

    The logits have the stride of the last skip, or of the input if there are no skips.

    Args:
        in_channels: Channels of the inputs: an int, or those of the skips from deep to shallow
            followed by the deepest input's, in the order of ``in_index``.
        channels: Channels of the ASPP and of the decoder.
        dilations: Dilations of the ASPP's 3x3 branches.
        skip_channels: Channels to which each skip is projected.
        num_convs: Number of 3x3 convs in each decoder step.
        separable_aspp: Make the ASPP's 3x3 branches depthwise-separable: they hold nearly all the
            multiply-adds and parameters of a narrow student's ASPP.
        **kwargs: Arguments of mmseg's BaseDecodeHead.

    Raises:
        ValueError: The numbers of skips and of ``skip_channels`` differ.
    """

    def __init__(
        self,
        in_channels: int | Sequence[int],
        channels: int,
        dilations: Sequence[int] = (6, 12, 18),
        skip_channels: Sequence[int] = (),
        num_convs: int = 2,
        separable_aspp: bool = False,
        norm_cfg: dict | None = None,
        **kwargs: Any,
    ) -> None:
        several = is_seq_of(in_channels, int)
        super().__init__(
            in_channels,
            channels,
            norm_cfg=norm_cfg or dict(type='BN'),
            input_transform='multiple_select' if several else None,
            **kwargs,
        )
        *skips, deepest = in_channels if several else [in_channels]
        if len(skips) != len(skip_channels):
            raise ValueError(
                f'{type(self).__name__} has {len(skips)} skips (in_channels {in_channels}, of '
                f'which the last is the deepest input) but skip_channels {tuple(skip_channels)}; '
                f'expected {len(skips)} numbers.'
            )
        self.conv = partial(ConvModule, norm_cfg=self.norm_cfg, act_cfg=self.act_cfg)
        # Norm and activation follow only the pointwise conv.
        self.separable_conv = partial(
            DepthwiseSeparableConvModule,
            bias=False,
            norm_cfg=self.norm_cfg,
            act_cfg=self.act_cfg,
            dw_norm_cfg=None,
            dw_act_cfg=None,
        )
        self.num_convs = num_convs
        dilated = self.separable_conv if separable_aspp else self.conv
        self.aspp = LightASPP(deepest, channels, dilations, self.conv, dilated)
        self.fusions = nn.ModuleList(
            SkipFusion(self.conv(i, o, 1), self._refine(channels + o), self.align_corners)
            for i, o in zip(skips, skip_channels, strict=True)
        )

    def _refine(self, in_channels: int) -> list[nn.Module]:
        widths = [in_channels] + self.num_convs * [self.channels]
        return [self.conv(i, o, 3, padding=1) for i, o in pairwise(widths)]

    def forward(self, inputs: Sequence[Tensor]) -> Tensor:
        """Compute logits [N, num_classes, H, W] at the stride of the last skip, or of the input."""
        selected = self._transform_inputs(inputs)
        *skips, deepest = selected if isinstance(selected, list) else [selected]
        x = self.aspp(deepest)
        for fusion, skip in zip(self.fusions, skips, strict=True):
            x = fusion(x, skip)
        return self.cls_seg(x)
