"""Losses of class probabilities beyond the plain KL: DKD, DIST, soft Jaccard, boundary split."""

import torch
import torch.nn.functional as F
from torch import Tensor

from segkd_mm.losses.functional.common import (
    everywhere,
    in_float32,
    mean_over_valid,
    softmax_kl,
    standardise,
)
from segkd_mm.losses.functional.logits import channel_wise, pixel_kl


@in_float32
def dkd(
    student: Tensor,
    teacher: Tensor,
    labels: Tensor,
    temperature: float = 4.0,
    alpha: float = 1.0,
    beta: float = 8.0,
) -> Tensor:
    """Decoupled distillation: the label's class against the rest, and the rest by itself.

    ``T² · mean_v (alpha · KL(b(t) ‖ b(s)) + beta · KL(q(t) ‖ q(s)))``, where b is the probability
    of the label's class and of all others together, and q the distribution over the others alone,
    both from softmax_C(· / T). Plain KL is the same with alpha 1 and for beta the
    teacher's probability of the others: where it is sure of the label, what it says of the others
    hardly counts there.

    Source: arXiv 2203.08679, for classification, with these defaults and a linear warm-up over the
    first 20 epochs in its code. Its weights carry over: both are means over what is classified.

    Args:
        student: Logits.
        teacher: Logits.
        labels: Class ids at the map's size, -1 where nothing counts.
        temperature: T > 0.
        alpha: Weight of the label's class against the rest.
        beta: Weight of the rest by itself.
    """
    target = labels.clamp(min=0)[:, None]
    others = torch.arange(student.shape[1], device=labels.device)[:, None, None] != target

    def against_the_rest(x: Tensor) -> Tensor:
        rest = torch.where(others, x, torch.finfo(x.dtype).min).logsumexp(1, keepdim=True)
        return torch.cat([x.gather(1, target), rest], dim=1)

    student, teacher = student / temperature, teacher / temperature
    of_target = softmax_kl(against_the_rest(student), against_the_rest(teacher), dim=1)
    of_others = softmax_kl(student, teacher, dim=1, among=others)
    return temperature**2 * mean_over_valid(alpha * of_target + beta * of_others, labels >= 0)


@in_float32
def dist(
    student: Tensor,
    teacher: Tensor,
    valid: Tensor | None = None,
    temperature: float = 1.0,
    beta: float = 1.0,
    gamma: float = 1.0,
) -> Tensor:
    """One minus the correlation of probabilities, by pixel and by class: DIST.

    ``beta · mean_v (1 - r_C(s, t)) + gamma · mean_C (1 - r_v(s, t))`` with Pearson's r over the
    classes of a pixel, and over all pixels of the batch for a class, of softmax_C(· / T). It is
    blind to any shift and positive scale of a pixel's or a class's probabilities. Computed as half
    the mean squared distance of standardised values, which is the same but 0, too, where both are
    constant, as for a class that is nowhere (1 in the authors' code, without a gradient).

    With two classes the correlation over them is ±1: use gamma alone.

    Source: arXiv 2205.10536; its segmentation code has these defaults, which carry over, and all
    pixels count there.

    Args:
        student: Logits.
        teacher: Logits.
        valid: Which pixels count.
        temperature: T > 0.
        beta: Weight of the relations between classes.
        gamma: Weight of the relations within a class.
    """
    valid = everywhere(student) if valid is None else valid
    student, teacher = (F.softmax(x / temperature, dim=1) for x in (student, teacher))
    by_pixel = (standardise(student, 1) - standardise(teacher, 1)).square().mean(dim=1) / 2
    student, teacher = (standardise(x, (0, 2, 3), valid[:, None]) for x in (student, teacher))
    by_class = (student - teacher).square().mean(dim=1) / 2
    return beta * mean_over_valid(by_pixel, valid) + gamma * mean_over_valid(by_class, valid)


@in_float32
def soft_jaccard(
    student: Tensor,
    teacher: Tensor,
    valid: Tensor | None = None,
    temperature: float = 1.0,
    threshold: float = 0.01,
) -> Tensor:
    """Jaccard distance of student and teacher probabilities, mean over classes: JML in L1 form.

    ``mean_c (1 - (Σ_v (p + q) - Σ_v |p - q|) / (Σ_v (p + q) + Σ_v |p - q|))`` with p and q the
    student's and teacher's softmax_C(· / T), over the pixels of the batch and those classes to
    which the teacher gives more than ``threshold`` at any of them. On one-hot maps it is one minus
    the IoU.

    Source: arXiv 2302.05666, whose code smooths numerator and denominator by a constant; here a
    class counts or does not, so that the value is the same for any crop. The authors weigh
    cross-entropy by 0.25 and Jaccard by 0.75, half of each on the labels, half on the teacher.

    Args:
        student: Logits.
        teacher: Logits.
        valid: Which pixels count.
        temperature: T > 0.
        threshold: Below which a class is not there, in [0, 1).
    """
    valid = (everywhere(student) if valid is None else valid)[:, None]
    p, q = (torch.where(valid, F.softmax(x / temperature, 1), 0) for x in (student, teacher))
    return mean_over_valid(_jaccard_distance(p, q), q.amax((0, 2, 3)) > threshold)


@in_float32
def hard_jaccard(student: Tensor, teacher: Tensor, labels: Tensor) -> Tensor:
    """:func:`soft_jaccard` to the labels as one-hot maps: the supervised half of JDT.

    The teacher has no part in it; a term with it stands beside one with :func:`soft_jaccard`, and
    compares at the logits' own stride as that does. Classes that no label has do not count.

    Source: arXiv 2302.05666, with half of the Jaccard's weight on the labels.

    Args:
        student: Logits.
        teacher: Not used.
        labels: Class ids at the map's size, -1 where nothing counts.
    """
    classes = torch.arange(student.shape[1], device=labels.device)[:, None, None]
    q = (labels[:, None] == classes).float()
    p = torch.where(labels[:, None] >= 0, F.softmax(student, 1), 0)
    return mean_over_valid(_jaccard_distance(p, q), q.amax((0, 2, 3)) > 0)


def _jaccard_distance(p: Tensor, q: Tensor) -> Tensor:
    """Of two maps of probabilities [N, C, H, W], by class: [C], in [0, 1]."""
    apart, together = (p - q).abs().sum((0, 2, 3)), (p + q).sum((0, 2, 3))
    return 2 * apart / (together + apart).clamp(min=1e-12)


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
    """Edges by pixel, bodies by channel: boundary-privileged distillation.

    ``edge_weight · pixel_kl(edge) + body_weight · channel_wise(body)``. Where classes meet it
    matters which of them a pixel is, inside of them the shape of each class: edge positions are
    compared by :func:`pixel_kl`, all others by :func:`channel_wise`.

    Source: BPKD, arXiv 2306.08075, whose training code is not public: edges of a trimap of the
    labels, a pixel-wise loss there and one with the constraint of shape on the body. Weights and
    temperature are ours.

    Args:
        student: Logits.
        teacher: Logits.
        labels: Class ids at the map's size, -1 where nothing counts.
        temperature: T > 0.
        width: Of the edges to each side of a boundary, in positions of the map.
        edge_weight: Weight of the edges.
        body_weight: Weight of the bodies.
    """
    edge = edges(labels, width)
    of_edges = pixel_kl(student, teacher, edge, temperature)
    of_bodies = channel_wise(student, teacher, (labels >= 0) & ~edge, temperature)
    return edge_weight * of_edges + body_weight * of_bodies


def edges(labels: Tensor, width: int = 1) -> Tensor:
    """Where classes meet: positions with another class than their own within ``width``.

    Void is no class: positions beside it alone are no edges.

    Args:
        labels: Class ids, [N, H, W], -1 where nothing counts.
        width: Distance in positions, diagonals included.

    Returns:
        [N, H, W] of bool.
    """
    ids, void = labels.float(), labels < 0
    window = dict(kernel_size=2 * width + 1, stride=1, padding=width)
    highest = F.max_pool2d(ids, **window)
    lowest = -F.max_pool2d(torch.where(void, -torch.inf, -ids), **window)
    return (highest > lowest) & ~void
