"""Feature losses by position or channel: FitNet, cosine, cosine + smooth L1, PKD, AT."""

import torch
import torch.nn.functional as F
from torch import Tensor

from segkd_mm.losses.functional.common import (
    across_channels,
    all_valid,
    in_float32,
    mean_over_valid,
    standardise,
)


@in_float32
def cosine_feature(student: Tensor, teacher: Tensor, valid: Tensor | None = None) -> Tensor:
    """Cosine distance of features along channels, mean over positions.

    ``mean_v (1 - cos(s, t))``: 0 for like directions, 2 for opposite ones. Computed as half the
    squared distance of the unit vectors, which is the same but 0, too, where both are zero, as
    after a ReLU. Vectors shorter than 1e-4 are divided by 1e-4, which bounds the gradient.

    Source: the feature distillation of the project that this toolbox was conceived from.

    Args:
        student: Features, adapted to the teacher's channels.
        teacher: Features.
        valid: Which positions count.
    """
    student, teacher = (F.normalize(x, dim=1, eps=1e-4) for x in (student, teacher))
    return mean_over_valid((student - teacher).square().sum(dim=1) / 2, valid)


@in_float32
def cosine_smooth_l1(student: Tensor, teacher: Tensor, valid: Tensor | None = None) -> Tensor:
    """Cosine distance and smooth L1 of standardised features, half and half.

    ``0.5 · mean_v (1 - cos(s, t)) + 0.5 · mean_{v,C} smoothL1(s - t)``, with s and t of zero mean
    and unit variance by channel over the batch, so that channels of large values do not dominate;
    smoothL1(d) is d² / 2 up to 1 and |d| - 1/2 beyond.

    Source: the distillers of foundation models: UNIC (arXiv 2408.05088), which weighs the two by
    0.5 and 0.5, as here, and Theia (arXiv 2407.20179), which weighs them by 0.9 and 0.1. Both
    standardise the teacher by running statistics and leave the student as it is; here both are
    standardised, by the batch's statistics, so that the loss is 0 where they agree.

    Args:
        student: Features, adapted to the teacher's channels.
        teacher: Features.
        valid: Which positions count.
    """
    mask = None if valid is None else valid[:, None]
    student, teacher = (standardise(x, (0, 2, 3), mask) for x in (student, teacher))
    smooth_l1 = F.smooth_l1_loss(student, teacher, reduction='none').mean(dim=1)
    return (cosine_feature(student, teacher, valid) + mean_over_valid(smooth_l1, valid)) / 2


@in_float32
def fitnet(student: Tensor, teacher: Tensor, valid: Tensor | None = None) -> Tensor:
    """Mean squared error of features: FitNet.

    ``mean_{v,C} (s - t)²``.

    Source: FitNets, arXiv 1412.6550; CIRKD's code gives it a weight of 10, which carries over.

    Args:
        student: Features, adapted to the teacher's channels.
        teacher: Features.
        valid: Which positions count.
    """
    return mean_over_valid((student - teacher).square().mean(dim=1), valid)


@in_float32
def pkd(student: Tensor, teacher: Tensor, valid: Tensor | None = None) -> Tensor:
    """One minus Pearson's correlation of each channel, mean over channels: PKD.

    ``mean_{v,C} (z(s) - z(t))² / 2`` with z of zero mean and unit variance over the positions of
    the batch. Channels that are constant in both, as after a ReLU, count as equal.

    Source: arXiv 2207.02039. Its code takes the unbiased standard deviation, and all positions
    count; its weights, 6 for detectors, carry over.

    Args:
        student: Features, adapted to the teacher's channels.
        teacher: Features.
        valid: Which positions count.
    """
    mask = None if valid is None else valid[:, None]
    student, teacher = (standardise(x, (0, 2, 3), mask) for x in (student, teacher))
    return mean_over_valid((student - teacher).square().mean(dim=1) / 2, valid)


@across_channels
def attention_transfer(student: Tensor, teacher: Tensor, valid: Tensor | None = None) -> Tensor:
    """Squared distance of the normalised attention maps, mean over images: AT.

    ``Σ_v (a(s) - a(t))²`` with a(x) the attention map ``Σ_C x²``, of unit length over the valid
    positions of an image. That is ``2 - 2 · cos`` of the maps, in [0, 2]. Channels may differ.

    Source: arXiv 1612.03928. CIRKD's code takes the mean over positions, not the sum, which
    shrinks as the map grows: divide its weight by H·W, as 1e4 at 64 x 64 to 2.4.

    Args:
        student: Features of any channels.
        teacher: Features.
        valid: Which positions count.
    """
    valid = (all_valid(student) if valid is None else valid).flatten(1)

    def attention(x: Tensor) -> Tensor:
        energy = torch.where(valid, x.square().mean(dim=1).flatten(1), 0)
        return F.normalize(energy, dim=1, eps=1e-8)

    distance = (attention(student) - attention(teacher)).square().sum(dim=1)
    return mean_over_valid(distance, valid.any(dim=1))
