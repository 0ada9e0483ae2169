"""mmseg's IoU metric which also keeps the confusion matrix and the scores of each class."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from mmseg.evaluation import IoUMetric
from mmseg.registry import METRICS
from torch import Tensor

from segkd_mm.evaluation.confusion import confusion_matrix
from segkd_mm.evaluation.scores import class_scores
from segkd_mm.labels import VOID


@METRICS.register_module()
class ClassIoUMetric(IoUMetric):
    """:class:`mmseg.evaluation.IoUMetric`, with two attributes more after an evaluation.

    ``confusion`` [C, C] counts pixels: a row is a true class, a column a predicted one; void is
    left out. ``scores`` are its :func:`segkd_mm.evaluation.class_scores`.

    Args:
        iou_metrics: 'mIoU', 'mDice' or 'mFscore', or several; mIoU is always among the scores.
        **kwargs: Of ``IoUMetric``.

    Raises:
        ValueError: As it gets the data set's ``dataset_meta``: that has no list of classes.
    """

    confusion: np.ndarray
    scores: list[dict[str, str | float]]

    def __init__(self, iou_metrics: str | Sequence[str] = (), **kwargs: Any) -> None:
        others = [iou_metrics] if isinstance(iou_metrics, str) else iou_metrics
        super().__init__(iou_metrics=list(dict.fromkeys(['mIoU', *others])), **kwargs)

    @property
    def dataset_meta(self) -> dict | None:
        """The ``metainfo`` of the data set."""
        return self._dataset_meta

    @dataset_meta.setter
    def dataset_meta(self, dataset_meta: dict) -> None:
        if not dataset_meta.get('classes'):
            raise ValueError(
                'The data set to validate or test with has no list of classes: write '
                "metainfo=dict(classes=['NAME', ...]) in its config, or METAINFO in its class."
            )
        self._dataset_meta = dataset_meta

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
            ValueError: The mask or the label map holds a class that the data set does not have.
        """
        label = label.masked_fill(label == ignore_index, VOID)
        # mmseg's label map of one logit is of float32.
        return confusion_matrix(pred_label.long(), label, num_classes)

    def compute_metrics(self, results: list[Tensor]) -> dict[str, float]:
        """mIoU, aAcc, mAcc and the other scores in percent, of the pixels of all images.

        Raises:
            ValueError: All are void.
        """
        matrix = sum(results)
        self.confusion = matrix.numpy()
        if not matrix.any():
            raise ValueError(
                f'No pixel of a class in the masks of {len(results)} images, only void: there is '
                'nothing to score. Check the masks and the list of the split.'
            )
        self.scores = class_scores(self.confusion, self.dataset_meta['classes'])
        hits, truth, predicted = matrix.diag(), matrix.sum(1), matrix.sum(0)
        return super().compute_metrics([(hits, truth + predicted - hits, predicted, truth)])
