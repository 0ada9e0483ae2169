"""mmseg's IoU metric which also keeps what was taken for what, and the scores of each class."""

from collections.abc import Sequence

import numpy as np
import torch
from mmseg.evaluation import IoUMetric
from mmseg.registry import METRICS
from torch import Tensor


@METRICS.register_module()
class ClassIoUMetric(IoUMetric):
    """:class:`mmseg.evaluation.IoUMetric`, with two attributes more after an evaluation.

    ``confusion`` [C, C] counts pixels: a row is a true class, a column a predicted one; void is
    left out. ``scores`` are its :func:`class_scores`.
    """

    confusion: np.ndarray
    scores: list[dict[str, str | float]]

    @property
    def per_class(self) -> dict[str, float]:
        """The IoU of each class in percent, NaN where neither truth nor prediction has it."""
        return {row['class']: row['IoU'] for row in self.scores}

    # One matrix an image, not one in all: mmengine drops the images that a distributed sampler
    # repeats when it collects the results.
    @staticmethod
    def intersect_and_union(
        pred_label: Tensor, label: Tensor, num_classes: int, ignore_index: int
    ) -> Tensor:
        """The confusion matrix of an image, int64 [C, C], in place of the areas: its sums.

        Raises:
            ValueError: the mask holds a class that the data set does not have.
        """
        counted = label != ignore_index
        label, pred_label = label[counted], pred_label[counted]
        if label.numel() and not 0 <= label.min() <= label.max() < num_classes:
            raise ValueError(
                f'mask with class ids {label.unique().tolist()}, expected 0 to {num_classes - 1} '
                f'or {ignore_index} for void; check the masks and the classes of the data set'
            )
        pairs = num_classes * label.long() + pred_label
        return torch.bincount(pairs, minlength=num_classes**2).view(num_classes, -1).cpu()

    def compute_metrics(self, results: list[Tensor]) -> dict[str, float]:
        """mIoU, aAcc and mAcc in percent, of the pixels of all images."""
        matrix = sum(results)
        self.confusion = matrix.numpy()
        self.scores = class_scores(self.confusion, self.dataset_meta['classes'])
        hits, truth, predicted = matrix.diag(), matrix.sum(1), matrix.sum(0)
        return super().compute_metrics([(hits, truth + predicted - hits, predicted, truth)])


def class_scores(confusion: np.ndarray, classes: Sequence[str]) -> list[dict[str, str | float]]:
    """How well each class is found, from pixel counts [C, C] (row: truth, column: prediction).

    A dict a class with ``class`` and, in percent, ``IoU``, ``recall`` (of the true pixels, those
    that were found; mmseg's Acc), ``precision`` (of the pixels given to the class, those that are
    right) and ``share`` (of all true pixels, those of the class). NaN where there is none to count.
    """
    hits, truth, predicted = confusion.diagonal(), confusion.sum(1), confusion.sum(0)
    with np.errstate(invalid='ignore'):
        scores = {
            'IoU': hits / (truth + predicted - hits),
            'recall': hits / truth,
            'precision': hits / predicted,
            'share': truth / truth.sum(),
        }
    columns = [(100 * values).tolist() for values in scores.values()]
    return [
        dict(zip(('class', *scores), row, strict=True))
        for row in zip(classes, *columns, strict=True)
    ]
