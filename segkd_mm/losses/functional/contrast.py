"""Dense contrastive loss of student and teacher features (Af-DCD)."""

import torch
import torch.nn.functional as F
from torch import Tensor

from segkd_mm.losses.functional.common import (
    all_valid,
    in_float32,
    masked_log_softmax,
    mean_over_valid,
)


@in_float32
def dense_contrast(
    student: Tensor,
    teacher: Tensor,
    valid: Tensor | None = None,
    temperature: float = 0.07,
    groups: int = 16,
    patch: int = 4,
    pool: int = 4,
) -> Tensor:
    """InfoNCE of channel groups within a patch, between student and teacher: Af-DCD.

    The maps are max-pooled and split into patches, the channels into groups. For position i and
    group g of a patch the loss is ``-log softmax(-|s_ig - t_jh|₁ / τ)`` at (j, h) = (i, g), over
    that and all (j, h) of other groups; mean over valid positions and groups.

    It is no divergence: with s = t it is small only as far as the teacher's groups differ.

    Memory: a matrix of (patch² · groups)² for each patch, 4 · N·H·W · patch² · groups² / pool²
    bytes in float32: at batch 16 and 128 x 128 positions 256 MiB with the defaults, 4 GiB with
    ``pool=1``. About five such tensors are held at once.

    Source: Af-DCD, NeurIPS 2023, with these defaults; on CamVid, at 44 x 44, its code does not
    pool. That code sums over groups, with weights of 5e-3 and, on CamVid, 1e-2: multiply by
    ``groups``, as to 0.08 and 0.16.

    Args:
        student: Features of the teacher's channels.
        teacher: Features.
        valid: Which positions count.
        temperature: τ > 0.
        groups: Number of groups; divides the channels.
        patch: Side of a patch, in pooled positions; the remainder at the right and the bottom is
            left out.
        pool: Side of the max-pooling; less where a map would be smaller than a patch.
    """
    valid = (all_valid(student) if valid is None else valid)[:, None]
    sides = valid.shape[2:]
    patch = min(patch, *sides)
    pool = max(1, min(pool, min(sides) // patch))
    pooled_valid = F.max_pool2d(valid.float(), pool) > 0
    s, t = (
        _split(_max_pool(x, valid, pool), groups, patch).flatten(1, 2) for x in (student, teacher)
    )
    similarity = -torch.cdist(s, t, p=1) / temperature
    # Candidates of a row: the same position and group, and all positions of the other groups.
    group = torch.arange(groups, device=s.device).repeat(patch**2)
    itself = torch.eye(len(group), dtype=torch.bool, device=s.device)
    candidates = itself | (group[:, None] != group)
    rows = _split(pooled_valid, 1, patch)[:, :, 0, 0].repeat_interleave(groups, dim=1)
    log_softmax = masked_log_softmax(similarity, 2, candidates & rows[:, None])
    return mean_over_valid(-log_softmax.diagonal(dim1=1, dim2=2), rows)


def _max_pool(x: Tensor, valid: Tensor, pool: int) -> Tensor:
    """Maxima of the valid positions of each window, 0 where it has none."""
    pooled = F.max_pool2d(torch.where(valid, x, torch.finfo(x.dtype).min), pool)
    return torch.where(F.max_pool2d(valid.float(), pool) > 0, pooled, 0)


def _split(x: Tensor, groups: int, patch: int) -> Tensor:
    """[N, C, H, W] to [patches, patch², groups, C / groups]."""
    n, c, h, w = x.shape
    x = x[:, :, : h - h % patch, : w - w % patch]
    x = x.reshape(n, groups, c // groups, h // patch, patch, w // patch, patch)
    return x.permute(0, 3, 5, 4, 6, 1, 2).reshape(-1, patch**2, groups, c // groups)
