"""Hook that keeps a link ``best.pth`` to the best checkpoint of a run."""

import os
from pathlib import Path

from mmengine.dist import master_only
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmseg.registry import HOOKS


@HOOKS.register_module()
class BestLinkHook(Hook):
    """Keep a symbolic link ``best.pth`` in the work directory to the best checkpoint.

    CheckpointHook puts the epoch into the name of that file; configs and commands need a name that
    is known in advance.
    """

    priority = 'LOWEST'  # after CheckpointHook

    @master_only
    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        best = runner.message_hub.get_info('best_ckpt')
        if best is None:
            return
        link = Path(runner.work_dir) / 'best.pth'
        aside = link.with_suffix('.new')
        aside.unlink(missing_ok=True)
        aside.symlink_to(os.path.relpath(best, runner.work_dir))
        aside.replace(link)
