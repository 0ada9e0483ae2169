"""Losses with a trained generator from the masked student feature to the teacher's: MGD, Af-DCD."""

from typing import Any

import torch
from mmseg.registry import MODELS
from torch import Tensor, nn

from segkd_mm.losses import functional
from segkd_mm.losses.modules.base import KDLoss, set_positive


@MODELS.register_module()
class MGDLoss(KDLoss):
    """Squared error of the teacher feature regenerated from the masked student feature: MGD.

    ``mean_{v,C} (G(m · s) - t)²``, with m 0 at a random part of the positions and G a 3x3 conv, a
    ReLU and a 3x3 conv, which is trained along and kept in the checkpoint as part of the term.

    With s = t it is 0 only if G(m · t) = t; void positions are masked and not compared, so nothing
    there changes the value.

    Source: arXiv 2205.01529. Its code sums over channels and positions and divides by N: multiply
    its weight by C·H·W, as 2e-5 with 2048 channels at 64 x 64 to 168, and then look at the size of
    the teacher's features, as for any squared distance. For segmentation it stands beside CWD.

    Args:
        channels: Of both features; ``'auto'`` in the config of a term takes the teacher's.
        mask_ratio: Part of the positions that is masked, in [0, 1).
        **kwargs: Of :class:`KDLoss`.
    """

    def __init__(self, channels: int, mask_ratio: float = 0.75, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not 0 <= mask_ratio < 1:
            raise ValueError(
                f'{type(self).__name__}: mask_ratio is {mask_ratio}, must be in [0, 1).'
            )
        self.mask_ratio = mask_ratio
        self.generator = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(channels, channels, 3, padding=1),
        )

    def compute(self, student: Tensor, teacher: Tensor, valid: Tensor | None) -> Tensor:
        return functional.fitnet(self.regenerate(student, valid), teacher, valid)

    def regenerate(self, student: Tensor, valid: Tensor | None) -> Tensor:
        """The generator's output for the randomly masked student feature, [N, C, H, W]."""
        kept = torch.rand_like(student[:, 0], dtype=torch.float32) >= self.mask_ratio
        kept = kept if valid is None else kept & valid
        with torch.autocast(student.device.type, enabled=False):
            return self.generator(torch.where(kept[:, None], student.float(), 0))


@MODELS.register_module()
class AfDCDLoss(MGDLoss):
    """Masked reconstruction and dense contrast of what was regenerated: Af-DCD.

    ``reconstruction · mgd + contrast · dense_contrast(G(m · s), t)``; see :class:`MGDLoss` and
    :func:`segkd_mm.losses.functional.dense_contrast`.

    Source: NeurIPS 2023, Fan et al., "Augmentation-free dense contrastive knowledge distillation".
    Its code sums the reconstruction over C·H·W, with weights of 1e-6 (VOC) and 8e-6 (CamVid): 8.4
    and 33 in our mean with 2048 channels at 64 x 64 and 45 x 45; and the contrast over groups, with
    5e-3 and 1e-2: 0.08 and 0.16 in our mean. ``pool=1`` is its code's on CamVid only: see the
    memory in :func:`segkd_mm.losses.functional.dense_contrast`.

    Args:
        channels: Of both features; ``'auto'`` in the config of a term takes the teacher's.
        reconstruction: Weight of the reconstruction.
        contrast: Weight of the contrast.
        temperature: τ > 0.
        groups: Number of groups of channels; divides ``channels``.
        patch: Side of a patch, in pooled positions.
        pool: Side of the max-pooling before.
        **kwargs: Of :class:`MGDLoss`.

    Raises:
        ValueError: ``groups`` does not divide ``channels``.
    """

    def __init__(
        self,
        channels: int,
        reconstruction: float = 8.0,
        contrast: float = 0.08,
        temperature: float = 0.07,
        groups: int = 16,
        patch: int = 4,
        pool: int = 4,
        **kwargs: Any,
    ) -> None:
        super().__init__(channels, **kwargs)
        if channels % groups:
            raise ValueError(
                f'{type(self).__name__}: {channels} channels do not divide into {groups} groups.'
            )
        set_positive(self, temperature=temperature, groups=groups, patch=patch, pool=pool)
        self.reconstruction = reconstruction
        self.contrast = contrast

    def compute(self, student: Tensor, teacher: Tensor, valid: Tensor | None) -> Tensor:
        generated = self.regenerate(student, valid)
        contrast = functional.dense_contrast(
            generated, teacher, valid, self.temperature, self.groups, self.patch, self.pool
        )
        reconstruction = functional.fitnet(generated, teacher, valid)
        return self.reconstruction * reconstruction + self.contrast * contrast
