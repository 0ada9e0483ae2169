"""Cross-entropy on the classes that a teacher predicts."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from segkd_mm.losses.functional.common import all_valid, in_float32


@in_float32
def pseudo_label(
    student: Tensor,
    teacher: Tensor,
    valid: Tensor | None = None,
    threshold: float = 0.0,
    class_weights: Sequence[float] | None = None,
) -> Tensor:
    """Cross-entropy on hard pseudo-labels, pixel by pixel.

    ``Σ_v w_y · -log softmax_C(s)_y / Σ_v w_y`` with ``y = argmax_C t``, over the pixels where
    ``max_C softmax_C(t)`` is the threshold or more. Unlike the divergences it is above zero where
    the student equals the teacher: its minimum is more certain than the teacher.

    Source: Lee 2013 (Pseudo-Label); with a threshold FixMatch, arXiv 2001.07685, which divides by
    all pixels instead of those that count.

    Args:
        student: Logits.
        teacher: Logits.
        valid: Which pixels count.
        threshold: Probability of the teacher's class below which a pixel does not count.
        class_weights: One factor for each class; None for 1. As in mmseg's cross-entropy the mean
            is weighted with them, too.
    """
    confidence, target = teacher.softmax(1).max(1)
    counts = (all_valid(student) if valid is None else valid) & (confidence >= threshold)
    weights = student.new_ones(student.shape[1]) if class_weights is None else class_weights
    weights = torch.as_tensor(weights, dtype=student.dtype, device=student.device)
    each = torch.where(counts, weights[target], 0)
    loss = torch.where(counts, each * F.cross_entropy(student, target, reduction='none'), 0)
    total = each.sum()
    return loss.sum() / torch.where(total > 0, total, 1)
