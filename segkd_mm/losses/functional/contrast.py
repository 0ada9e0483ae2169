"""Dense contrast of a student's features with the teacher's: Af-DCD."""

import torch
import torch.nn.functional as F
from torch import Tensor

from segkd_mm.losses.functional.common import (
    everywhere,
    in_float32,
    log_softmax_among,
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
    """Find the teacher's own group of channels among the other groups of its patch.

    The maps are max-pooled and cut into patches, the channels into groups. For position i and
    group g of a patch the loss is ``-log softmax(-|s_ig - t_jh|₁ / τ)`` at (j, h) = (i, g), among
    that and all (j, h) of other groups; mean over positions that count and groups.

    It is no divergence: with s = t it is small only as far as the teacher's groups differ.

    Source: Af-DCD, NeurIPS 2023, with these defaults; on CamVid its code does not pool. That code
    sums over groups, with weights of 5e-3 and 1e-2: multiply by ``groups``, as to 0.08 and 0.16.

    Args:
        student: Features of the teacher's channels.
        teacher: Features.
        valid: Which positions count.
        temperature: τ > 0.
        groups: Number of groups; divides the channels.
        patch: Side of a patch, in pooled positions; what is left over at the right and the bottom
            has no part.
        pool: Side of the max-pooling; less where a map would be smaller than a patch.
    """
    valid = (everywhere(student) if valid is None else valid)[:, None]
    sides = valid.shape[2:]
    patch = min(patch, *sides)
    pool = max(1, min(pool, min(sides) // patch))
    counts = F.max_pool2d(valid.float(), pool) > 0
    items = _cut(counts, 1, patch)[:, :, 0, 0]
    s, t = (
        _cut(_max_pool(x, valid, pool), groups, patch).flatten(1, 2) for x in (student, teacher)
    )
    alike = -torch.cdist(s, t, p=1) / temperature
    # Of each pair of items of a patch: the group of the other is another, or it is the same item.
    group = torch.arange(groups, device=s.device).repeat(patch**2)
    among = (group[:, None] != group) | torch.eye(len(group), dtype=torch.bool, device=s.device)
    items = items.repeat_interleave(groups, dim=1)
    found = log_softmax_among(alike, 2, among & items[:, None]).diagonal(dim1=1, dim2=2)
    return mean_over_valid(-found, items)


def _max_pool(x: Tensor, valid: Tensor, pool: int) -> Tensor:
    pooled = F.max_pool2d(torch.where(valid, x, torch.finfo(x.dtype).min), pool)
    return torch.where(F.max_pool2d(valid.float(), pool) > 0, pooled, 0)


def _cut(x: Tensor, groups: int, patch: int) -> Tensor:
    """[N, C, H, W] to [patches, patch², groups, C / groups]."""
    n, c, h, w = x.shape
    x = x[:, :, : h - h % patch, : w - w % patch]
    x = x.reshape(n, groups, c // groups, h // patch, patch, w // patch, patch)
    return x.permute(0, 3, 5, 4, 6, 1, 2).reshape(-1, patch**2, groups, c // groups)
