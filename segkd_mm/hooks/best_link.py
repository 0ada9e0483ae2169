"""Hook that keeps a link ``best.pth`` to the best checkpoint of a run."""

import os
import shutil
from pathlib import Path

from mmengine.dist import master_only
from mmengine.hooks import CheckpointHook, Hook
from mmengine.runner import Runner
from mmseg.evaluation import IoUMetric
from mmseg.registry import HOOKS

# Scores of mmseg's IoUMetric that are given where its iou_metrics names them.
SCORES = 'mIoU', 'mDice', 'mFscore'


@HOOKS.register_module()
class BestLinkHook(Hook):
    """Keep a symbolic link ``best.pth`` in the work directory to the best checkpoint.

    It is a copy where links cannot be made.

    CheckpointHook puts the epoch into the name of that file; configs and commands need a name that
    is known in advance.

    Raises:
        ValueError: At the start: ``save_best`` of CheckpointHook is a score of ``IoUMetric`` that
            the validation is not asked for.
    """

    priority = 'LOWEST'  # after CheckpointHook

    def before_train(self, runner: Runner) -> None:
        metrics = runner.val_loop.evaluator.metrics if runner.val_loop else []
        if not all(isinstance(metric, IoUMetric) for metric in metrics):
            return
        given = [score for metric in metrics for score in metric.metrics]
        hooks = (hook for hook in runner.hooks if isinstance(hook, CheckpointHook))
        saved = [name for hook in hooks for name in hook.save_best or []]
        missing = [name for name in saved if name in SCORES and name not in given]
        if given and missing:
            raise ValueError(
                f'default_hooks.checkpoint.save_best is {missing[0]!r}, but val_evaluator has '
                f"iou_metrics={given}. Write val_evaluator=dict(type='ClassIoUMetric', "
                'iou_metrics=[...]), which always gives mIoU, or another save_best.'
            )

    @master_only
    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        best = runner.message_hub.get_info('best_ckpt')
        if best is None:
            return
        link = Path(runner.work_dir) / 'best.pth'
        aside = link.with_suffix('.new')
        aside.unlink(missing_ok=True)
        try:
            aside.symlink_to(os.path.relpath(best, runner.work_dir))
        except OSError:  # the disk has no links, or Windows does not let us make them
            shutil.copyfile(best, aside)
        aside.replace(link)
