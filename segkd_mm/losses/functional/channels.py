"""Losses of channels across the images of a batch, and to a memory: the terms that CIRKDv2 adds.

A channel is compared by its map: averages over ``pool`` x ``pool`` valid positions, as a unit
vector over the image. The value does not depend on map size as long as the window is the same.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from segkd_mm.losses.functional.common import all_valid, in_float32, mean_over_valid, softmax_kl


def channel_maps(x: Tensor, valid: Tensor | None, pool: int) -> Tensor:
    """The map of each channel as a unit vector, [N, C, n], from features [N, C, H, W].

    Args:
        x: Features, 0 where not valid.
        valid: Which positions count, [N, H, W] of bool; None for all. Windows without any are 0.
        pool: Side of a window in positions; of a smaller map the whole is one window.
    """
    valid = (all_valid(x) if valid is None else valid)[:, None].float()
    window = tuple(min(pool, side) for side in x.shape[2:])
    share = F.avg_pool2d(valid, window, ceil_mode=True)
    means = F.avg_pool2d(x, window, ceil_mode=True) / share.clamp(min=1e-6)
    return F.normalize(means.flatten(2), dim=2, eps=1e-4)


@in_float32
def channel_relations(
    student: Tensor,
    teacher: Tensor,
    valid: Tensor | None = None,
    temperature: float = 0.1,
    pool: int = 4,
) -> Tensor:
    """KL divergence of each channel's similarities to the channels of each image: CIRKDv2.

    ``mean_{a,b} mean_i KL(softmax_j(cos(t_ai, t_bj) / τ) ‖ softmax_j(cos(s_ai, s_bj) / τ))`` over
    channels i, j and all pairs a, b of images in the batch, those of an image with itself included.

    Memory: about eight tensors of 4·N²·C² bytes, each 64 MiB at batch 16 with 256 channels.

    Source: CIRKDv2's code, with τ = 0.1, a window of 4 and a weight of 1, which carries over.

    Args:
        student: Features, adapted to the teacher's channels.
        teacher: Features.
        valid: Which positions count.
        temperature: τ > 0.
        pool: Side of a window in positions.
    """
    maps = (channel_maps(x, valid, pool) for x in (student, teacher))
    s, t = (torch.einsum('ain,bjn->aibj', x, x) / temperature for x in maps)
    by_pair = softmax_kl(s, t, dim=3).mean(1)
    seen = _has_valid(student, valid)
    return mean_over_valid(by_pair, seen[:, None] & seen)


@in_float32
def channel_affinity(
    student: Tensor,
    teacher: Tensor,
    valid: Tensor | None = None,
    *,
    keys: Tensor,
    temperature: float = 0.1,
    pool: int = 4,
) -> Tensor:
    """KL divergence of each channel's similarities to the keys of a memory: CIRKDv2, memory.

    ``mean_i KL(softmax_k(cos(t_i, key_k) / τ) ‖ softmax_k(cos(s_i, key_k) / τ))``.

    Memory: about seven tensors of 4·N·C·K bytes, each 32 MiB at batch 16 with 256 channels and
    2048 keys.

    Source: CIRKDv2's code, with τ = 0.1, a window of 4 and a weight of 0.1, which carries over.

    Args:
        student: Features, adapted to the teacher's channels.
        teacher: Features.
        valid: Which positions count.
        keys: Maps of teacher channels of other images, unit vectors [K, n]; none gives 0.
        temperature: τ > 0.
        pool: Side of a window in positions.
    """
    maps = (channel_maps(x, valid, pool) for x in (student, teacher))
    s, t = (x @ keys.detach().float().mT / temperature for x in maps)
    return mean_over_valid(softmax_kl(s, t, dim=2).mean(1), _has_valid(student, valid))


@in_float32
def channel_direction(
    student: Tensor, teacher: Tensor, valid: Tensor | None = None, pool: int = 4
) -> Tensor:
    """Squared distance of the maps of each channel, as unit vectors: CIRKDv2.

    ``mean_i |s_i - t_i|²``, which is ``2 - 2 cos(s_i, t_i)``, over the channels of all images.

    Source: CIRKDv2's code, with a window of 4. It takes the mean over the n windows of a map as
    well, with a weight of 100: here 100 / n, 0.39 for the 64 x 64 positions of its crops.

    Args:
        student: Features, adapted to the teacher's channels.
        teacher: Features.
        valid: Which positions count.
        pool: Side of a window in positions.
    """
    s, t = (channel_maps(x, valid, pool) for x in (student, teacher))
    return mean_over_valid((s - t).square().sum(2).mean(1), _has_valid(student, valid))


def _has_valid(x: Tensor, valid: Tensor | None) -> Tensor:
    """Which images have a position that counts, [N] of bool."""
    return (all_valid(x) if valid is None else valid).flatten(1).any(1)
