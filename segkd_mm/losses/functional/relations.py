"""Losses of relations between positions: SKD's pair-wise, self-similarity, CIRKD, IFVD.

All but IFVD compare pooled positions, called nodes: averages over ``pool`` x ``pool`` valid
positions. Where these would be more than ``max_nodes`` an image, larger windows are taken, since
the relations of n nodes are a matrix of n²; ``max_nodes=None`` sets no bound. The value is a mean
over nodes: it does not depend on map size as long as the window is the same. A larger window makes
other nodes, and so another value.
"""

from itertools import count
from math import ceil

import torch
import torch.nn.functional as F
from torch import Tensor

from segkd_mm.losses.functional.common import (
    across_channels,
    all_valid,
    class_masks,
    in_float32,
    mean_over_valid,
    softmax_kl,
)


def _window(height: int, width: int, pool: int, max_nodes: int | None) -> tuple[int, int]:
    """The smallest window of side ``pool`` or more that leaves at most ``max_nodes`` nodes."""
    if max_nodes is not None:
        fits = (s for s in count(pool) if ceil(height / s) * ceil(width / s) <= max_nodes)
        pool = next(fits)
    # A map smaller than the window is one node.
    return min(pool, height), min(pool, width)


def _nodes(
    valid: Tensor | None, *maps: Tensor, pool: int, max_nodes: int | None
) -> tuple[Tensor, list[Tensor]]:
    """Pool maps [N, C, H, W] to unit vectors [N, n, C]; first the mask of valid nodes, [N, n]."""
    valid = (all_valid(maps[0]) if valid is None else valid)[:, None]
    window = _window(*valid.shape[2:], pool, max_nodes)
    share = F.avg_pool2d(valid.float(), window, ceil_mode=True)
    means = [F.avg_pool2d(x, window, ceil_mode=True) / share.clamp(min=1e-6) for x in maps]
    return share.flatten(1) > 0, [F.normalize(x, dim=1, eps=1e-4).flatten(2).mT for x in means]


@across_channels
def pair_wise(
    student: Tensor,
    teacher: Tensor,
    valid: Tensor | None = None,
    pool: int = 2,
    max_nodes: int | None = 1024,
) -> Tensor:
    """Mean squared difference of the cosines of all pairs of nodes in an image: SKD's pair-wise.

    ``mean_ij (cos(s_i, s_j) - cos(t_i, t_j))²`` over the nodes of an image, mean over images.

    Memory: about five tensors of 4·N·n² bytes, each 4 MiB an image with 1024 nodes.

    Source: arXiv 1903.04197, by the mean over pairs too. Its code makes 2 x 2 nodes of a map,
    with a weight of 0.5: ``max_nodes=4`` for square maps. CIRKD's code makes nodes of 2 x 2
    positions of a map of any size, with a weight of 10: ``max_nodes=None``. Both weights carry
    over. The paper averages a node's positions, as here; both codes take maxima.

    Args:
        student: Features of any channels.
        teacher: Features.
        valid: Which positions count.
        pool: Side of a node in positions.
        max_nodes: Larger windows than ``pool`` are taken for at most so many nodes an image.
    """
    valid, (student, teacher) = _nodes(valid, student, teacher, pool=pool, max_nodes=max_nodes)
    difference = (student @ student.mT - teacher @ teacher.mT).square()
    pairs = valid[:, :, None] & valid[:, None]
    by_image = torch.where(pairs, difference, 0).sum((1, 2)) / pairs.sum((1, 2)).clamp(min=1)
    return mean_over_valid(by_image, valid.any(dim=1))


@across_channels
def self_similarity(
    student: Tensor,
    teacher: Tensor,
    valid: Tensor | None = None,
    temperature: float = 0.07,
    pool: int = 2,
    max_nodes: int | None = 1024,
) -> Tensor:
    """KL divergence of each node's similarities to all nodes of its image.

    ``mean_i KL(softmax_j(cos(t_i, t_j) / τ) ‖ softmax_j(cos(s_i, s_j) / τ))``.

    Memory: about eight tensors of 4·N·n² bytes, each 4 MiB an image with 1024 nodes.

    Source: LightlyTrain's distillation (v3), with τ = 0.07 and a weight of 1, which carries over.
    It compares all positions: ``pool=1, max_nodes=None``.

    Args:
        student: Features of any channels.
        teacher: Features.
        valid: Which positions count.
        temperature: τ > 0.
        pool: Side of a node in positions.
        max_nodes: Larger windows than ``pool`` are taken for at most so many nodes an image.
    """
    valid, (student, teacher) = _nodes(valid, student, teacher, pool=pool, max_nodes=max_nodes)
    student, teacher = (x @ x.mT / temperature for x in (student, teacher))
    return mean_over_valid(softmax_kl(student, teacher, 2, mask=valid[:, None]), valid)


@across_channels
def cross_image(
    student: Tensor,
    teacher: Tensor,
    valid: Tensor | None = None,
    temperature: float = 0.1,
    pool: int = 2,
    max_nodes: int | None = 256,
) -> Tensor:
    """KL divergence of each node's similarities to the nodes of each image: CIRKD, mini-batch.

    ``mean_{a,b} mean_i KL(softmax_j(cos(t_ai, t_bj) / τ) ‖ softmax_j(cos(s_ai, s_bj) / τ))`` over
    all pairs a, b of images in the batch, those of an image with itself included.

    Memory: about eight tensors of 4·N²·n² bytes. Each takes 64 MiB at batch 16 with 256 nodes; with
    the 4096 positions of a 64 x 64 map 16 GiB, and at batch 2 256 MiB.

    Source: arXiv 2204.06986, with τ = 0.1 and a weight of 1, which carries over. Its code compares
    all positions, on 2 to 4 images a GPU: ``pool=1, max_nodes=None``. From 256 x 256 positions on
    it takes 4 x 4 averages.

    Args:
        student: Features of any channels.
        teacher: Features.
        valid: Which positions count.
        temperature: τ > 0.
        pool: Side of a node in positions.
        max_nodes: Larger windows than ``pool`` are taken for at most so many nodes an image.
    """
    valid, units = _nodes(valid, student, teacher, pool=pool, max_nodes=max_nodes)
    s, t = (torch.einsum('aic,bjc->aibj', x, x) / temperature for x in units)
    kl = softmax_kl(s, t, dim=3, mask=valid)
    by_pair = torch.where(valid[:, :, None], kl, 0).sum(1) / valid.sum(1)[:, None].clamp(min=1)
    not_empty = valid.any(dim=1)
    return mean_over_valid(by_pair, not_empty[:, None] & not_empty)


@in_float32
def memory_affinity(
    student: Tensor,
    teacher: Tensor,
    valid: Tensor | None = None,
    *,
    keys: Tensor,
    temperature: float = 0.1,
    pool: int = 2,
    max_nodes: int | None = 256,
) -> Tensor:
    """KL divergence of each node's similarities to the keys of a memory: CIRKD, memory.

    ``mean_i KL(softmax_k(cos(t_i, key_k) / τ) ‖ softmax_k(cos(s_i, key_k) / τ))``.

    Memory: about seven tensors of 4·N·n·K bytes, each 64 MiB at batch 16 with 256 nodes and 4096
    keys.

    Source: arXiv 2204.06986, with τ = 0.1 and weights of 0.1, which carry over. Its code compares
    all positions: ``pool=1, max_nodes=None``.

    Args:
        student: Features, adapted to the teacher's channels.
        teacher: Features.
        valid: Which positions count.
        keys: Teacher features of other images, unit vectors [K, C]; none gives 0.
        temperature: τ > 0.
        pool: Side of a node in positions.
        max_nodes: Larger windows than ``pool`` are taken for at most so many nodes an image.
    """
    valid, units = _nodes(valid, student, teacher, pool=pool, max_nodes=max_nodes)
    student, teacher = (x @ keys.detach().float().mT / temperature for x in units)
    return mean_over_valid(softmax_kl(student, teacher, dim=2), valid)


@across_channels
def intra_class(student: Tensor, teacher: Tensor, labels: Tensor) -> Tensor:
    """Mean squared difference of each position's cosine to its class's mean: IFVD.

    ``mean_v (cos(s, p(s)) - cos(t, p(t)))²`` with p the mean feature of the position's class in
    its image.

    Source: ECCV 2020, Wang et al., "Intra-class feature variation distillation", whose code gives
    it a weight of 200; CIRKD's code 20. Both carry over. There void positions count, with a cosine
    of 1.

    Args:
        student: Features of any channels.
        teacher: Features.
        labels: Class ids at the map's size, -1 at void.
    """
    masks = class_masks(labels, max(int(labels.max()) + 1, 1)).float()

    def cosine_to_prototype(x: Tensor) -> Tensor:
        means = x.flatten(2) @ masks.mT / masks.sum(2)[:, None].clamp(min=1)
        prototypes = (means @ masks).view_as(x)
        x, prototypes = (F.normalize(y, dim=1, eps=1e-4) for y in (x, prototypes))
        return (x * prototypes).sum(dim=1)

    difference = (cosine_to_prototype(student) - cosine_to_prototype(teacher)).square()
    return mean_over_valid(difference, labels >= 0)
