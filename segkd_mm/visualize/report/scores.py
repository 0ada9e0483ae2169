"""Scores of single images: mIoU, the IoU of each class, and what is taken for what."""

from dataclasses import dataclass

import numpy as np
import torch

from segkd_mm.evaluation import class_scores, confusion_matrix, mean_iou
from segkd_mm.labels import VOID

SMALLEST_ERROR = 0.002  # of the pixels; less is not listed


@dataclass(frozen=True)
class ImageScore:
    """Scores of an image; IoU and recall in percent by class id, only of classes that are in it.

    ``errors`` are (true class, predicted class, percent of the image's pixels), largest first;
    ``confusion`` [C, C] counts pixels, a row is a true class.
    """

    miou: float
    iou: dict[int, float]
    recall: dict[int, float]
    errors: list[tuple[int, int, float]]
    confusion: np.ndarray


def image_score(truth: np.ndarray, label_map: np.ndarray, num_classes: int) -> ImageScore:
    """Compare a label map [H, W] with the truth [H, W].

    Ids of the truth from ``num_classes`` on, such as void, do not count.

    Raises:
        ValueError: The sizes differ, or the label map holds an id that is no class.
    """
    if truth.shape != label_map.shape:
        raise ValueError(
            f'a label map of {label_map.shape} beside a truth of {truth.shape}, expected equal '
            'sizes; run the test again.'
        )
    mask = np.where(truth < num_classes, truth, VOID)
    confusion = confusion_matrix(
        torch.from_numpy(label_map.copy()), torch.from_numpy(mask), num_classes
    ).numpy()
    return _score(confusion)


def _score(confusion: np.ndarray) -> ImageScore:
    rows = class_scores(confusion, range(len(confusion)))
    by_class = {
        key: {row['class']: round(row[key], 1) for row in rows if not np.isnan(row[key])}
        for key in ('IoU', 'recall')
    }
    return ImageScore(
        miou=mean_iou(confusion),
        iou=by_class['IoU'],
        recall=by_class['recall'],
        errors=largest_errors(confusion),
        confusion=confusion,
    )


def largest_errors(confusion: np.ndarray) -> list[tuple[int, int, float]]:
    """(True class, predicted class, percent of all pixels), the largest first."""
    shares = confusion / max(confusion.sum(), 1)
    np.fill_diagonal(shares, 0)
    pairs = np.argwhere(shares >= SMALLEST_ERROR).tolist()
    errors = [(true, taken, round(100 * float(shares[true, taken]), 2)) for true, taken in pairs]
    return sorted(errors, key=lambda error: -error[2])
