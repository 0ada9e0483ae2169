"""Losses of how positions relate to one another: SKD, self-similarity, CIRKD, IFVD.

Relations of all positions to all others are a matrix of (H·W)², so the maps are averaged first,
over ``pool`` x ``pool`` positions that count, or more where a map would leave more than a fixed
number of nodes. Student and teacher may have other channels.
"""

from math import ceil, sqrt

import torch
import torch.nn.functional as F
from torch import Tensor

from segkd_mm.losses.functional.common import (
    across_channels,
    class_masks,
    everywhere,
    in_float32,
    mean_over_valid,
    softmax_kl,
)


def _nodes(
    valid: Tensor | None, *maps: Tensor, pool: int, most: int = 1024
) -> tuple[Tensor, list[Tensor]]:
    """Pool maps [N, C, H, W] to unit vectors [N, n, C]; and which nodes count, [N, n]."""
    valid = (everywhere(maps[0]) if valid is None else valid)[:, None]
    pool = max(pool, ceil(sqrt(valid[0].numel() / most)))
    # A map smaller than the window is one node.
    window = [min(pool, side) for side in valid.shape[2:]]
    share = F.avg_pool2d(valid.float(), window, ceil_mode=True)
    pooled = [F.avg_pool2d(torch.where(valid, x, 0), window, ceil_mode=True) for x in maps]
    means = [x / share.clamp(min=1e-6) for x in pooled]
    units = [F.normalize(x, dim=1, eps=1e-4).flatten(2).mT for x in means]
    return share.flatten(1) > 0, units


@across_channels
def pair_wise(
    student: Tensor, teacher: Tensor, valid: Tensor | None = None, pool: int = 2
) -> Tensor:
    """Mean squared difference of the cosines of all pairs of nodes in an image: SKD's pair-wise.

    ``mean_ij (cos(s_i, s_j) - cos(t_i, t_j))²`` over the nodes of an image, mean over images.

    Source: arXiv 1903.04197, by the mean over pairs too, with a weight of 0.5, and 10 in CIRKD's
    code; both carry over. The paper averages a node's positions, as here; its code takes maxima.

    Args:
        student: Features of any channels.
        teacher: Features.
        valid: Which positions count.
        pool: Side of a node in positions; at most 1024 nodes are made.
    """
    counts, (student, teacher) = _nodes(valid, student, teacher, pool=pool)
    difference = (student @ student.mT - teacher @ teacher.mT).square()
    pairs = counts[:, :, None] & counts[:, None]
    by_image = torch.where(pairs, difference, 0).sum((1, 2)) / pairs.sum((1, 2)).clamp(min=1)
    return mean_over_valid(by_image, counts.any(dim=1))


@across_channels
def self_similarity(
    student: Tensor,
    teacher: Tensor,
    valid: Tensor | None = None,
    temperature: float = 0.07,
    pool: int = 2,
) -> Tensor:
    """KL divergence of each node's similarities to all nodes of its image.

    ``mean_i KL(softmax_j(cos(t_i, t_j) / τ) ‖ softmax_j(cos(s_i, s_j) / τ))``.

    Source: LightlyTrain's distillation, with τ = 0.07.

    Args:
        student: Features of any channels.
        teacher: Features.
        valid: Which positions count.
        temperature: τ > 0.
        pool: Side of a node in positions; at most 1024 nodes are made.
    """
    counts, (student, teacher) = _nodes(valid, student, teacher, pool=pool)
    student, teacher = (x @ x.mT / temperature for x in (student, teacher))
    return mean_over_valid(softmax_kl(student, teacher, 2, among=counts[:, None]), counts)


@across_channels
def cross_image(
    student: Tensor,
    teacher: Tensor,
    valid: Tensor | None = None,
    temperature: float = 0.1,
    pool: int = 2,
) -> Tensor:
    """KL divergence of each node's similarities to the nodes of each image: CIRKD, mini-batch.

    ``mean_{a,b} mean_i KL(softmax_j(cos(t_ai, t_bj) / τ) ‖ softmax_j(cos(s_ai, s_bj) / τ))`` over
    all pairs a, b of images in the batch, those of an image with itself included.

    Source: arXiv 2204.06986, with τ = 0.1 and a weight of 1, which carries over; its code
    compares all positions, or 2 x 2 averages of them.

    Args:
        student: Features of any channels.
        teacher: Features.
        valid: Which positions count.
        temperature: τ > 0.
        pool: Side of a node in positions; at most 256 nodes an image are made.
    """
    counts, units = _nodes(valid, student, teacher, pool=pool, most=256)
    s, t = (torch.einsum('aic,bjc->aibj', x, x) / temperature for x in units)
    kl = softmax_kl(s, t, dim=3, among=counts)
    by_pair = torch.where(counts[:, :, None], kl, 0).sum(1) / counts.sum(1)[:, None].clamp(min=1)
    there = counts.any(dim=1)
    return mean_over_valid(by_pair, there[:, None] & there)


@in_float32
def memory_affinity(
    student: Tensor,
    teacher: Tensor,
    valid: Tensor | None = None,
    *,
    keys: Tensor,
    temperature: float = 0.1,
    pool: int = 2,
) -> Tensor:
    """KL divergence of each node's similarities to remembered keys: CIRKD, memory.

    ``mean_i KL(softmax_k(cos(t_i, key_k) / τ) ‖ softmax_k(cos(s_i, key_k) / τ))``.

    Source: arXiv 2204.06986, with τ = 0.1 and weights of 0.1, which carry over.

    Args:
        student: Features, adapted to the teacher's channels.
        teacher: Features.
        valid: Which positions count.
        keys: Teacher features of other images, unit vectors [K, C]; none gives 0.
        temperature: τ > 0.
        pool: Side of a node in positions; at most 256 nodes an image are made.
    """
    counts, units = _nodes(valid, student, teacher, pool=pool, most=256)
    student, teacher = (x @ keys.detach().float().mT / temperature for x in units)
    return mean_over_valid(softmax_kl(student, teacher, dim=2), counts)


@across_channels
def intra_class(student: Tensor, teacher: Tensor, labels: Tensor) -> Tensor:
    """Mean squared difference of each position's cosine to its class's mean: IFVD.

    ``mean_v (cos(s, p(s)) - cos(t, p(t)))²`` with p the mean feature of the position's class in
    its image.

    Source: ECCV 2020, Wang et al., "Intra-class feature variation distillation"; CIRKD's code
    gives it a weight of 20, which carries over. There void positions count, with a cosine of 1.

    Args:
        student: Features of any channels.
        teacher: Features.
        labels: Class ids at the map's size, -1 where nothing counts.
    """
    masks = class_masks(labels, max(int(labels.max()) + 1, 1)).float()

    def closeness(x: Tensor) -> Tensor:
        means = x.flatten(2) @ masks.mT / masks.sum(2)[:, None].clamp(min=1)
        prototypes = (means @ masks).view_as(x)
        x, prototypes = (F.normalize(y, dim=1, eps=1e-4) for y in (x, prototypes))
        return (x * prototypes).sum(dim=1)

    difference = (closeness(student) - closeness(teacher)).square()
    return mean_over_valid(difference, labels >= 0)
