"""A best score that the validation does not give is an error at the start."""

from pathlib import Path
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


def test_where_no_links_can_be_made_the_best_checkpoint_is_copied(tmp_path, monkeypatch):
    def refused(*_args):
        raise OSError('[Errno 95] Operation not supported')

    monkeypatch.setattr(Path, 'symlink_to', refused)
    hub = SimpleNamespace(get_info=lambda _key: str(tmp_path / 'best_mIoU_iter_8.pth'))
    for content in (b'first', b'second'):
        (tmp_path / 'best_mIoU_iter_8.pth').write_bytes(content)
        BestLinkHook().after_val_epoch(SimpleNamespace(message_hub=hub, work_dir=tmp_path))
        assert (tmp_path / 'best.pth').read_bytes() == content


def test_a_missing_best_score_is_an_error_that_says_what_to_write():
    with pytest.raises(ValueError, match=r"save_best is 'mIoU', .*'mFscore'.*ClassIoUMetric"):
        start(IoUMetric(iou_metrics=['mFscore']))
    start(IoUMetric(iou_metrics=['mFscore', 'mIoU']))
    start(IoUMetric(iou_metrics=['mFscore']), save_best='mFscore')
    start(ClassIoUMetric(iou_metrics=['mFscore']))
    start(IoUMetric(iou_metrics=['mFscore']), object())  # which may give it
    start()
