"""The student's own cross-entropy: class weights, and the mean over labelled pixels."""

from collections.abc import Sequence

from mmseg.models.losses import CrossEntropyLoss, cross_entropy
from mmseg.registry import MODELS
from torch import Tensor

from segkd_mm.one_logit import two_class_logits


@MODELS.register_module()
class LabelledCrossEntropyLoss(CrossEntropyLoss):
    """Softmax cross-entropy for ``loss_decode``: the weighted mean over labelled pixels.

    ``Σ_v w_y · -log softmax_C(s)_y / Σ_v w_y`` over the pixels v that are not void; 0 if all are.
    So neither void nor unlabelled images in a batch make it smaller, and only the ratios of the
    weights matter, as in ``torch.nn.functional.cross_entropy``.

    It has the values of mmseg's ``CrossEntropyLoss``, which needs ``avg_non_ignore=True`` for that
    without class weights, and fails with it beside class weights (IndexError in 1.4.2). One logit
    z (``out_channels=1``) is the two logits (0, z): the binary cross-entropy of sigmoid(z).

    Args:
        class_weight: One factor for each class, or a file of them; None for 1.
        loss_weight: Factor of the loss.
        loss_name: Its name in the log.
    """

    def __init__(
        self,
        class_weight: Sequence[float] | str | None = None,
        loss_weight: float = 1.0,
        loss_name: str = 'loss_ce',
    ) -> None:
        super().__init__(class_weight=class_weight, loss_weight=loss_weight, loss_name=loss_name,
                         avg_non_ignore=True)  # fmt: skip
        self.avg_non_ignore = False  # decided in each call, for hooks may set weights
        self.cls_criterion = _cross_entropy

    def extra_repr(self) -> str:
        """Its arguments, for the printed model."""
        return f'class_weight={self.class_weight}, loss_weight={self.loss_weight}'

    def forward(self, cls_score: Tensor, label: Tensor, *args, **kwargs) -> Tensor:
        """The weighted loss, in float32; arguments are those of mmseg's ``CrossEntropyLoss``."""
        return super().forward(two_class_logits(cls_score.float()), label, *args, **kwargs)


def _cross_entropy(*args, **kwargs) -> Tensor:
    kwargs['avg_non_ignore'] = kwargs['class_weight'] is None
    return cross_entropy(*args, **kwargs)
