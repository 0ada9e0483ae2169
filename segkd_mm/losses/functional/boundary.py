"""Boundary split (BPKD): edges of the labels distilled by pixel, bodies by channel."""

import torch
import torch.nn.functional as F
from torch import Tensor

from segkd_mm.losses.functional.common import in_float32
from segkd_mm.losses.functional.kl import channel_wise, pixel_kl


@in_float32
def boundary_split(
    student: Tensor,
    teacher: Tensor,
    labels: Tensor,
    temperature: float = 1.0,
    width: int = 1,
    edge_weight: float = 1.0,
    body_weight: float = 1.0,
) -> Tensor:
    """:func:`pixel_kl` on edges and :func:`channel_wise` on all other positions: BPKD.

    ``edge_weight · pixel_kl(edge) + body_weight · channel_wise(body)``. Where classes meet it
    matters which of them a pixel is, inside of them the shape of each class.

    Source: BPKD, arXiv 2306.08075, whose training code is not public: edges of a trimap of the
    labels, a pixel-wise loss there and one with the constraint of shape on the body. Weights and
    temperature are ours.

    Args:
        student: Logits.
        teacher: Logits.
        labels: Class ids at the map's size, -1 at void.
        temperature: T > 0.
        width: Of the edges to each side of a boundary, in positions of the map.
        edge_weight: Weight of the edges.
        body_weight: Weight of the bodies.
    """
    edge = edges(labels, width)
    edge_loss = pixel_kl(student, teacher, edge, temperature)
    body_loss = channel_wise(student, teacher, (labels >= 0) & ~edge, temperature)
    return edge_weight * edge_loss + body_weight * body_loss


def edges(labels: Tensor, width: int = 1) -> Tensor:
    """Mask of class boundaries: positions with another class than their own within ``width``.

    Void is no class: positions beside it alone are no edges.

    Args:
        labels: Class ids, [N, H, W], -1 at void.
        width: Distance in positions, diagonals included.

    Returns:
        [N, H, W] of bool.
    """
    ids, void = labels.float(), labels < 0
    window = dict(kernel_size=2 * width + 1, stride=1, padding=width)
    highest = F.max_pool2d(ids, **window)
    lowest = -F.max_pool2d(torch.where(void, -torch.inf, -ids), **window)
    return (highest > lowest) & ~void
