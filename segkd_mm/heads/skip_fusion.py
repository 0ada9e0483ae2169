"""Decoder step that fuses upsampled deep features with a skip connection."""

from collections.abc import Sequence

import torch
from mmseg.models.utils import resize
from torch import Tensor, nn


class SkipFusion(nn.Module):
    """Upsample the deep features, concatenate the projected skip, refine.

    Source: DeepLabV3+, arXiv 1802.02611.

    Args:
        project: Projects the skip to few channels, so that the deep features dominate.
        refine: Modules applied in sequence to the concatenation.
        align_corners: Option of the bilinear upsampling.
    """

    def __init__(
        self, project: nn.Module, refine: Sequence[nn.Module], align_corners: bool = False
    ) -> None:
        super().__init__()
        self.project = project
        self.refine = nn.Sequential(*refine)
        self.align_corners = align_corners

    def forward(self, deep: Tensor, skip: Tensor) -> Tensor:
        """Fuse features [N, C, h, w] with a skip [N, S, H, W] to [N, C', H, W]."""
        deep = resize(deep, skip.shape[2:], mode='bilinear', align_corners=self.align_corners)
        return self.refine(torch.cat([deep, self.project(skip)], dim=1))
