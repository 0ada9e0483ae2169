"""A best score that the validation does not give is an error at the start."""

from types import SimpleNamespace

import pytest
from mmengine.hooks import CheckpointHook
from mmseg.evaluation import IoUMetric

from segkd_mm.evaluation import ClassIoUMetric
from segkd_mm.hooks import BestLinkHook


def start(*metrics, save_best='mIoU'):
    hook = CheckpointHook(save_best=save_best, rule='greater')
    evaluator = SimpleNamespace(metrics=metrics)
    loop = SimpleNamespace(evaluator=evaluator) if metrics else None
    BestLinkHook().before_train(SimpleNamespace(val_loop=loop, hooks=[hook]))


def test_a_missing_best_score_is_an_error_that_says_what_to_write():
    with pytest.raises(ValueError, match=r"save_best is 'mIoU', .*'mFscore'.*ClassIoUMetric"):
        start(IoUMetric(iou_metrics=['mFscore']))
    start(IoUMetric(iou_metrics=['mFscore', 'mIoU']))
    start(IoUMetric(iou_metrics=['mFscore']), save_best='mFscore')
    start(ClassIoUMetric(iou_metrics=['mFscore']))
    start(IoUMetric(iou_metrics=['mFscore']), object())  # which may give it
    start()
