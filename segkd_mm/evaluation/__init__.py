"""Confusion matrix, class scores and mIoU: one definition for all tools."""

from segkd_mm.evaluation.confusion import confusion_matrix, confusion_of_logits
from segkd_mm.evaluation.metric import ClassIoUMetric
from segkd_mm.evaluation.scores import class_scores, mean_iou

__all__ = [
    'ClassIoUMetric',
    'class_scores',
    'confusion_matrix',
    'confusion_of_logits',
    'mean_iou',
]
