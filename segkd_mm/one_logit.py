"""One class against the background by one logit: its two-class logits, for losses and label maps.

mmseg's heads have it as ``num_classes=2, out_channels=1``: the logit z says how likely class 1 is,
``sigmoid(z)``, which is the softmax of the two-class logits (0, z).
"""

from math import log

import torch
from torch import Tensor, nn


def two_class_logits(logits: Tensor, threshold: float = 0.5) -> Tensor:
    """The two-class logits (0, z - logit(threshold)) of one logit z; others as they are.

    At the threshold 0.5 their softmax is (1 - sigmoid(z), sigmoid(z)). At any threshold their
    argmax is 1 where sigmoid(z) > threshold, before and after a bilinear upsampling.

    Args:
        logits: [N, C, h, w].
        threshold: Of the probability of class 1, in (0, 1).

    Returns:
        [N, 2, h, w], in float32 or higher, where C is 1; else ``logits``.
    """
    if logits.shape[1] != 1:
        return logits
    logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
    logits = logits - log(threshold / (1 - threshold))
    return torch.cat([torch.zeros_like(logits), logits], 1)


def label_logits(model: nn.Module, logits: Tensor) -> Tensor:
    """The logits whose argmax is a model's label map: one logit as two, at its head's threshold.

    Args:
        model: An mmseg segmentor, or what else gives logits of at least two classes.
        logits: Its logits, [N, C, h, w].

    Raises:
        ValueError: It is one logit, and the model has no threshold in (0, 1).
    """
    if logits.shape[1] > 1:
        return logits
    if not has_label_logits(model):
        raise ValueError(
            f'{type(model).__name__} gives one logit, with the threshold {_threshold(model)}: '
            'write out_channels=1 and a threshold in (0, 1) in a single decode_head, or '
            'out_channels=2.'
        )
    return two_class_logits(logits, _threshold(model))


def has_label_logits(model: nn.Module) -> bool:
    """Whether a model has several logits, or one with a threshold in (0, 1)."""
    return model.out_channels > 1 or 0 < (_threshold(model) or 0) < 1


def _threshold(model: nn.Module) -> float | None:
    """That of a decode head; mmseg supports none in a cascade of heads."""
    return getattr(getattr(model, 'decode_head', None), 'threshold', None)
