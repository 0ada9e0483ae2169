"""Base classes of the loss modules: weight, void left out, labels at map size."""

from math import isfinite
from numbers import Real

from torch import Tensor, nn

from segkd_mm.labels import UNLABELLED, VOID
from segkd_mm.losses import functional


class KDLoss(nn.Module):
    """Base of the loss modules: a weight, and the void pixels of the labels left out.

    Args:
        loss_weight: Factor of the loss, >= 0; at 0 the distiller leaves the term out.
        ignore_index: The id of void in the labels.

    Raises:
        ValueError: ``loss_weight`` is negative or no finite number.
    """

    same_channels = True
    """Whether student and teacher must have as many channels."""

    min_classes = 0
    """Fewest classes with which a loss over classes can have an effect; 0 for a loss of features.

    A softmax over one channel is 1, so that such a loss would be 0 whatever the logits are.
    """

    def __init__(self, loss_weight: float = 1.0, ignore_index: int = VOID) -> None:
        super().__init__()
        if not (_is_finite(loss_weight) and loss_weight >= 0):
            raise ValueError(
                f'{type(self).__name__}: loss_weight is {loss_weight!r}, must be a finite number '
                '>= 0.'
            )
        self.loss_weight = loss_weight
        self.ignore_index = ignore_index

    def forward(self, student: Tensor, teacher: Tensor, labels: Tensor | None = None) -> Tensor:
        """The weighted loss, a scalar.

        Args:
            student: [N, C, h, w].
            teacher: [N, C, h, w].
            labels: Class ids of the images, [N, H, W], or ``UNLABELLED`` at pixels of images
                without labels, which count; None where there are none.

        Raises:
            ValueError: The labels have another shape.
        """
        if labels is not None and labels.ndim != 3:
            raise ValueError(f'The labels are {list(labels.shape)}, expected [N, H, W].')
        resized = self.resize_labels(labels, student.shape[2:])
        return self.loss_weight * self.compute(student, teacher, resized)

    def resize_labels(self, labels: Tensor | None, size: tuple[int, int]) -> Tensor | None:
        """The third argument of ``compute``: the mask of valid positions, [N, h, w] of bool."""
        if labels is None:
            return None
        return functional.valid_pixels(labels, size, self.ignore_index)

    def compute(self, student: Tensor, teacher: Tensor, valid: Tensor | None) -> Tensor:
        """The loss without its weight; ``valid`` is [N, h, w] of bool, or None for all."""
        raise NotImplementedError


class LabelledKDLoss(KDLoss):
    """Base of the loss modules that need labels: ``compute`` takes class ids, not a mask."""

    def resize_labels(self, labels: Tensor | None, size: tuple[int, int]) -> Tensor:
        """The third argument of ``compute``: labels at map size, [N, h, w] of int64, -1 at void.

        Raises:
            ValueError: There are no labels.
        """
        if labels is None:
            raise ValueError(f'{type(self).__name__} compares by class: it needs labels, got None.')
        labels = labels.masked_fill(labels == UNLABELLED, self.ignore_index)
        return functional.labels_at(labels, size, self.ignore_index)


def set_positive(loss: nn.Module, **values: float) -> None:
    """Check that arguments of a loss are positive and keep them as its attributes.

    Raises:
        ValueError: One of ``values`` is no finite number above 0.
    """
    for name, value in values.items():
        if not (_is_finite(value) and value > 0):
            raise ValueError(
                f'{type(loss).__name__}: {name} is {value!r}, must be a finite number > 0.'
            )
        setattr(loss, name, value)


def set_nodes(loss: nn.Module, pool: int, max_nodes: int | None) -> None:
    """Check the node arguments of a loss of relations and keep them; no bound if None.

    Raises:
        ValueError: ``pool`` or ``max_nodes`` is no finite number above 0.
    """
    set_positive(loss, pool=pool, **({} if max_nodes is None else {'max_nodes': max_nodes}))
    loss.max_nodes = max_nodes


def _is_finite(value: object) -> bool:
    return isinstance(value, Real) and isfinite(value)
