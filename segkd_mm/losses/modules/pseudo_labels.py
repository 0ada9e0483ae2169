"""Pseudo-labels as a registered module."""

from collections.abc import Sequence
from typing import Any

from mmseg.registry import MODELS
from torch import Tensor

from segkd_mm.losses import functional
from segkd_mm.losses.modules.base import KDLoss


@MODELS.register_module()
class PseudoLabelLoss(KDLoss):
    """:func:`segkd_mm.losses.functional.pseudo_label` on logits.

    Soft pseudo-labels without class weights and threshold are :class:`PixelKLLoss` at a
    temperature of 1, which has their gradient.

    Args:
        threshold: Probability in [0, 1) of the teacher's class below which a pixel does not count.
        class_weights: One factor for each class; None for 1.
        soft: Whether the labels are the teacher's probabilities, in place of its class.
        **kwargs: As of :class:`KDLoss`.

    Raises:
        ValueError: ``threshold`` is not in [0, 1), or a class's weight is below 0.
    """

    min_classes = 2

    def __init__(
        self,
        threshold: float = 0.0,
        class_weights: Sequence[float] | None = None,
        soft: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if not 0 <= threshold < 1:
            raise ValueError(f'PseudoLabelLoss: threshold is {threshold}, must be in [0, 1).')
        if class_weights is not None and min(class_weights) < 0:
            raise ValueError(f'PseudoLabelLoss: class_weights are {class_weights}, one below 0.')
        self.threshold = threshold
        self.class_weights = class_weights
        self.soft = soft

    def compute(self, student: Tensor, teacher: Tensor, valid: Tensor | None) -> Tensor:
        if self.class_weights is not None and len(self.class_weights) != student.shape[1]:
            raise ValueError(
                f'PseudoLabelLoss: {len(self.class_weights)} class_weights for logits of '
                f'{student.shape[1]} classes.'
            )
        return functional.pseudo_label(
            student, teacher, valid, self.threshold, self.class_weights, self.soft
        )
