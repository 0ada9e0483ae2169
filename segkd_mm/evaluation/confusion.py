"""Confusion matrix: pixel counts of true and predicted classes."""

import torch
import torch.nn.functional as F
from torch import Tensor

from segkd_mm.labels import VOID


def confusion_matrix(label_map: Tensor, mask: Tensor, num_classes: int) -> Tensor:
    """Pixel counts, int64 [C, C] on the CPU: a row is a true class, a column a predicted one.

    Args:
        label_map: Predicted class ids, of any shape.
        mask: True class ids, of the same shape; ``VOID`` does not count.
        num_classes: C.

    Raises:
        ValueError: The mask or, at a pixel that counts, the label map holds another id.
    """
    counted = mask != VOID
    mask, label_map = mask[counted], label_map[counted]
    _check_range('mask', mask, num_classes, f' or {VOID} for void')
    _check_range('label map', label_map, num_classes, '')
    pairs = num_classes * mask.long() + label_map
    return torch.bincount(pairs, minlength=num_classes**2).view(num_classes, -1).cpu()


def confusion_of_logits(logits: Tensor, mask: Tensor) -> Tensor:
    """The confusion matrix of logits [N, C, h, w], upsampled bilinearly to masks [N, H, W]."""
    label_map = F.interpolate(logits.float(), mask.shape[1:], mode='bilinear').argmax(1)
    return confusion_matrix(label_map, mask, logits.shape[1])


def _check_range(name: str, ids: Tensor, num_classes: int, others: str) -> None:
    if ids.numel() and not 0 <= ids.min() <= ids.max() < num_classes:
        raise ValueError(
            f'{name} with class ids {ids.unique().tolist()}, expected 0 to {num_classes - 1}'
            f'{others}; check the masks, and the classes of the data set and of the model'
        )
