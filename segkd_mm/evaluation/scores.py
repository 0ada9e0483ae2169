"""Scores from a confusion matrix: IoU, recall and precision of each class, and mIoU."""

from collections.abc import Sequence

import numpy as np


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


def mean_iou(confusion: np.ndarray) -> float:
    """mIoU in percent, from pixel counts [C, C] (row: truth, column: prediction).

    The mean over the classes that truth or prediction has, as of mmseg's ``IoUMetric``: a
    class that is predicted but not there counts with an IoU of 0, one that is in neither does not
    count. NaN of a matrix without pixels.
    """
    hits = confusion.diagonal()
    union = confusion.sum(1) + confusion.sum(0) - hits
    seen = union > 0
    return 100 * float((hits[seen] / union[seen]).mean()) if seen.any() else float('nan')
