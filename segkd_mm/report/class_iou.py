"""mmseg's IoU metric which also keeps the IoU of each class."""

import numpy as np
from mmseg.evaluation import IoUMetric
from mmseg.registry import METRICS


@METRICS.register_module()
class ClassIoUMetric(IoUMetric):
    """:class:`mmseg.evaluation.IoUMetric`, with ``per_class`` after an evaluation.

    ``per_class`` maps each class to its IoU in percent, NaN where neither truth nor prediction has
    it. mmseg prints them but returns the means alone.
    """

    per_class: dict[str, float]

    def compute_metrics(self, results: list) -> dict[str, float]:
        """mIoU, aAcc and mAcc in percent, of the areas of all images."""
        intersection, union = (sum(areas).numpy() for areas in list(zip(*results, strict=True))[:2])
        with np.errstate(invalid='ignore'):
            iou = (100 * intersection / union).tolist()
        self.per_class = dict(zip(self.dataset_meta['classes'], iou, strict=True))
        return super().compute_metrics(results)
