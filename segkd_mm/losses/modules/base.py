"""What the modules share: a weight, void left out, and labels at the map's size."""

from torch import Tensor, nn

from segkd_mm.labels import UNLABELLED, VOID
from segkd_mm.losses import functional


class KDLoss(nn.Module):
    """Base of the modules: a weight, and the void pixels of the labels left out.

    Args:
        loss_weight: Factor of the loss; at 0 the distiller leaves the term out.
        ignore_index: The id of void in the labels.
    """

    same_channels = True
    """Whether student and teacher must have as many channels."""

    def __init__(self, loss_weight: float = 1.0, ignore_index: int = VOID) -> None:
        super().__init__()
        self.loss_weight = loss_weight
        self.ignore_index = ignore_index

    def forward(self, student: Tensor, teacher: Tensor, labels: Tensor | None = None) -> Tensor:
        """The weighted loss, a scalar.

        Args:
            student: [N, C, h, w].
            teacher: [N, C, h, w].
            labels: Class ids of the images, [N, H, W], or ``UNLABELLED`` where a photo without
                labels counts; None where there are none.
        """
        counts = self.counting(labels, student.shape[2:])
        return self.loss_weight * self.compute(student, teacher, counts)

    def counting(self, labels: Tensor | None, size: tuple[int, int]) -> Tensor | None:
        """What counts at the size of the map, as ``compute`` is told."""
        if labels is None:
            return None
        return functional.valid_pixels(labels, size, self.ignore_index)

    def compute(self, student: Tensor, teacher: Tensor, counts: Tensor | None) -> Tensor:
        """The loss without its weight; ``counts`` is [N, h, w] of bool, or None for all."""
        raise NotImplementedError


class LabelledKDLoss(KDLoss):
    """Base of those that need labels: ``compute`` has class ids in place of the mask."""

    def counting(self, labels: Tensor | None, size: tuple[int, int]) -> Tensor:
        """Labels at the size of the map, [N, h, w] of int64, -1 at void.

        Raises:
            ValueError: There are no labels.
        """
        if labels is None:
            raise ValueError(f'{type(self).__name__} compares by class: it needs labels, got None.')
        labels = labels.masked_fill(labels == UNLABELLED, self.ignore_index)
        return functional.labels_at(labels, size, self.ignore_index)


def positive(loss: nn.Module, **values: float) -> None:
    """Check arguments of a loss and keep them as its attributes.

    Raises:
        ValueError: One of ``values`` is not above 0.
    """
    for name, value in values.items():
        if value <= 0:
            raise ValueError(f'{type(loss).__name__}: {name} is {value}, must be > 0.')
        setattr(loss, name, value)
