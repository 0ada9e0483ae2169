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
    soft: bool = False,
) -> Tensor:
    """Cross-entropy on pseudo-labels, pixel by pixel: on the teacher's class or its probabilities.

    ``Σ_v Σ_C w · p · -log softmax_C(s) / Σ_v Σ_C w · p``, over the pixels where
    ``max_C softmax_C(t)`` is the threshold or more. Hard: p is 1 for the class ``argmax_C t`` and 0
    for others. Soft: ``p = softmax_C(t)``; without class weights and threshold that is
    :func:`pixel_kl` at a temperature of 1 plus the teacher's entropy, and has its gradient.

    Unlike the divergences it is above zero where the student equals the teacher; the minimum of
    hard ones is more certain than the teacher.

    Source: Lee 2013 (Pseudo-Label); with a threshold FixMatch, arXiv 2001.07685, which divides by
    all pixels instead of those that count.

    Args:
        student: Logits.
        teacher: Logits.
        valid: Which pixels count.
        threshold: Probability of the teacher's class below which a pixel does not count.
        class_weights: One factor for each class; None for 1. As in mmseg's cross-entropy the mean
            is weighted with them, too.
        soft: Whether the labels are the teacher's probabilities, in place of its class.
    """
    probabilities = teacher.softmax(1)
    confidence, target = probabilities.max(1)
    counts = (all_valid(student) if valid is None else valid) & (confidence >= threshold)
    weights = student.new_ones(student.shape[1]) if class_weights is None else class_weights
    weights = torch.as_tensor(weights, dtype=student.dtype, device=student.device)
    labels = probabilities if soft else target
    loss = F.cross_entropy(student, labels, weights, reduction='none')
    each = torch.einsum('nchw,c->nhw', probabilities, weights) if soft else weights[target]
    total = torch.where(counts, each, 0).sum()
    return torch.where(counts, loss, 0).sum() / torch.where(total > 0, total, 1)
