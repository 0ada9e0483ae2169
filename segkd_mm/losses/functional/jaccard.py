"""Soft Jaccard distances (JDT): of student probabilities to the teacher's, and to labels."""

import torch
import torch.nn.functional as F
from torch import Tensor

from segkd_mm.losses.functional.common import all_valid, in_float32, mean_over_valid


@in_float32
def soft_jaccard(
    student: Tensor,
    teacher: Tensor,
    valid: Tensor | None = None,
    temperature: float = 1.0,
    threshold: float | None = 0.01,
    smooth: float = 0.0,
) -> Tensor:
    """Jaccard distance of student and teacher probabilities, mean over classes: JML in L1 form.

    ``mean_c (1 - (I_c + smooth) / (U_c + smooth))`` with ``I = (Σ_v (p + q) - Σ_v |p - q|) / 2``
    and ``U = (Σ_v (p + q) + Σ_v |p - q|) / 2``, p and q the student's and teacher's
    softmax_C(· / T), over the valid pixels of the batch. On one-hot maps, without smoothing, it is
    one minus the IoU.

    Source: arXiv 2302.05666. The authors released it with ``threshold=None, smooth=1.0``: classes
    that are nowhere count, too, and lower the student's probabilities of them; smoothing by one
    pixel makes the value depend on the number of pixels. Here, by default, only the classes of the
    teacher count, unsmoothed, and the value depends on neither crop nor batch size. The authors
    weigh cross-entropy by 0.25 and Jaccard by 0.75, half of each on the labels, half on the
    teacher.

    Args:
        student: Logits.
        teacher: Logits.
        valid: Which pixels count.
        temperature: T > 0.
        threshold: In [0, 1): classes count to which the teacher gives more at any pixel. None: all
            classes count.
        smooth: Added to intersection and union, in pixels; >= 0.
    """
    valid = (all_valid(student) if valid is None else valid)[:, None]
    p, q = (torch.where(valid, F.softmax(x / temperature, 1), 0) for x in (student, teacher))
    present = None if threshold is None else q.amax((0, 2, 3)) > threshold
    return mean_over_valid(_jaccard_distance(p, q, smooth), present)


@in_float32
def hard_jaccard(student: Tensor, teacher: Tensor, labels: Tensor, smooth: float = 0.0) -> Tensor:
    """:func:`soft_jaccard` to the labels as one-hot maps: the supervised half of JDT.

    The teacher has no part in it; a term with it stands beside one with :func:`soft_jaccard`, and
    compares at the logits' own stride as that does. Classes without a label do not count.

    Source: arXiv 2302.05666, with half of the Jaccard's weight on the labels; released with
    ``smooth=1.0``, and only the classes that are there count, as here.

    Args:
        student: Logits.
        teacher: Not used.
        labels: Class ids at the map's size, -1 at void.
        smooth: Added to intersection and union, in pixels; >= 0.
    """
    classes = torch.arange(student.shape[1], device=labels.device)[:, None, None]
    q = (labels[:, None] == classes).float()
    p = torch.where(labels[:, None] >= 0, F.softmax(student, 1), 0)
    return mean_over_valid(_jaccard_distance(p, q, smooth), q.amax((0, 2, 3)) > 0)


def _jaccard_distance(p: Tensor, q: Tensor, smooth: float) -> Tensor:
    """Jaccard distance of two probability maps [N, C, H, W], by class: [C], in [0, 1]."""
    difference, total = (p - q).abs().sum((0, 2, 3)), (p + q).sum((0, 2, 3))
    # Union less intersection over the union, both times two.
    return 2 * difference / (total + difference + 2 * smooth).clamp(min=1e-12)
