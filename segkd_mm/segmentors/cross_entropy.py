"""Cross-entropy of the segmentors that wrap models of other libraries."""

import torch.nn.functional as F
from torch import Tensor

from segkd_mm.labels import VOID


def mean_cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Compute the mean over pixels that are not void of logits [N, C, H, W] and labels [N, H, W].

    Returns:
        A scalar, 0 for a batch of void alone, of which PyTorch's own mean is NaN: batches without
        labels occur where few images have them.
    """
    total = F.cross_entropy(logits, labels, ignore_index=VOID, reduction='sum')
    return total / (labels != VOID).sum().clamp(min=1)
