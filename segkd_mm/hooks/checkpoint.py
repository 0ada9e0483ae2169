"""mmengine's CheckpointHook for runs that may be killed at any moment."""

import os
from collections import deque
from pathlib import Path
from typing import Any

from mmengine.dist import is_main_process, master_only
from mmengine.fileio import put_text
from mmengine.hooks import CheckpointHook
from mmengine.runner import EpochBasedTrainLoop, Runner
from mmseg.registry import HOOKS

from segkd_mm.hooks import local_backend  # noqa: F401  mmengine then saves whole files

# Number of epochs (or iterations) after which the last validation was; kept in checkpoints.
VALIDATED = 'validated_after'
# Where in its epoch a training is; kept in checkpoints.
POSITION = 'position_in_epoch'
STOPPED = 'stopped_iter_{}.pth'


@HOOKS.register_module(name='CheckpointHook')
class WholeCheckpointHook(CheckpointHook):
    """mmengine's ``CheckpointHook``, under its name in mmseg; a kill loses one interval at most.

    An outdated checkpoint is removed when the new one is in place, not before, and
    ``last_checkpoint`` is whole. A checkpoint is saved before the validation of its epoch: a
    resumed training first does this validation, without which ``ReduceOnPlateauLR`` and the best
    checkpoint would miss a score. What a checkpoint names to be removed must be in its folder.
    """

    def before_train(self, runner: Runner) -> None:
        folder = runner.work_dir
        if self.out_dir is not None:
            folder = os.path.join(self.out_dir, os.path.basename(folder.rstrip(os.sep)))
        _keep_names_alone(runner.message_hub.runtime_info, folder)
        super().before_train(runner)
        if not runner.iter:
            runner.message_hub.update_info(VALIDATED, 0)
            runner.message_hub.runtime_info.pop(POSITION, None)
        elif _lacks_validation(runner):
            runner.val_loop.run()

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float]) -> None:
        runner.message_hub.update_info(VALIDATED, _done(runner))
        super().after_val_epoch(runner, metrics)

    def before_train_epoch(self, runner: Runner) -> None:
        # A training that was stopped within an epoch has had its first images.
        loader = runner.train_dataloader
        if _counts_epochs(runner) and hasattr(loader.sampler, 'start'):
            drawn, step = _drawn(runner), loader.batch_size * runner.world_size
            position = dict(epoch=runner.epoch, iter=runner.iter, drawn=drawn, step=step)
            runner.message_hub.update_info(POSITION, position)
            loader.sampler.start = drawn // runner.world_size

    def can_stop(self, runner: Runner) -> bool:
        """Whether a training can go on exactly from where it is, within an epoch too."""
        return not _counts_epochs(runner) or hasattr(runner.train_dataloader.sampler, 'start')

    def save_stopped(self, runner: Runner) -> Path:
        """Save a checkpoint after the current iteration, to resume from; gives its path."""
        name = STOPPED.format(runner.iter + 1)
        self._save(runner, name, {'epoch': runner.epoch, 'iter': runner.iter + 1})
        return Path(self.out_dir, name)

    def _save_checkpoint_with_step(self, runner: Runner, step: int, meta: dict) -> None:
        outdated = self._outdated(runner, step)
        self._save(runner, self.filename_tmpl.format(step), meta)
        self._remove(outdated)

    def _save(self, runner: Runner, name: str, meta: dict) -> None:
        self.last_ckpt = self.file_backend.join_path(self.out_dir, name)
        runner.message_hub.update_info('last_ckpt', self.last_ckpt)
        runner.save_checkpoint(
            self.out_dir,
            name,
            self.file_client_args,
            save_optimizer=self.save_optimizer,
            save_param_scheduler=self.save_param_scheduler,
            meta=meta,
            by_epoch=self.by_epoch,
            backend_args=self.backend_args,
            **self.args,
        )
        if is_main_process():
            put_text(self.last_ckpt, Path(runner.work_dir, 'last_checkpoint'))

    def _outdated(self, runner: Runner, step: int) -> list[str]:
        """Checkpoints to remove when that of this step is in place; notes which are kept."""
        names = [path.name for path in Path(self.out_dir).glob(STOPPED.format('*'))]
        if self.max_keep_ckpts > 0 and step not in list(self.keep_ckpt_ids)[-1:]:
            kept = [*self.keep_ckpt_ids, step]
            names += [self.filename_tmpl.format(one) for one in kept[: -self.max_keep_ckpts]]
            self.keep_ckpt_ids = deque(kept[-self.max_keep_ckpts :])
            runner.message_hub.update_info('keep_ckpt_ids', list(self.keep_ckpt_ids))
        return [self.file_backend.join_path(self.out_dir, name) for name in names]

    @master_only
    def _remove(self, paths: list[str]) -> None:
        for path in paths:
            if self.file_backend.isfile(path):
                self.file_backend.remove(path)
            elif self.file_backend.isdir(path):  # as DeepSpeed saves them
                self.file_backend.rmtree(path)

    def _save_best_checkpoint(self, runner: Runner, metrics: dict[str, float]) -> None:
        backend = self.file_backend
        self.file_backend = later = RemovesLater(backend)
        try:
            super()._save_best_checkpoint(runner, metrics)
        finally:
            self.file_backend = backend
        self._remove(later.outdated)


class RemovesLater:
    """A file backend that only notes which files are to be removed."""

    def __init__(self, backend: Any) -> None:
        self.backend = backend
        self.outdated: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self.backend, name)

    def remove(self, path: str) -> None:
        self.outdated.append(path)

    rmtree = remove


def _counts_epochs(runner: Runner) -> bool:
    return isinstance(runner.train_loop, EpochBasedTrainLoop)


def _drawn(runner: Runner) -> int:
    """Images that all processes together have had of this epoch; they may have been others."""
    position = runner.message_hub.runtime_info.get(POSITION)
    if position is None:  # a checkpoint of an earlier version, or the first epoch
        loader = runner.train_dataloader
        batches = runner.iter - runner.epoch * len(loader)
        return max(batches, 0) * loader.batch_size * runner.world_size
    if position['epoch'] != runner.epoch:
        return 0
    return position['drawn'] + (runner.iter - position['iter']) * position['step']


def _done(runner: Runner) -> int:
    """Epochs that are done, or iterations in a training that counts them."""
    return runner.epoch if _counts_epochs(runner) else runner.iter


def _lacks_validation(runner: Runner) -> bool:
    """Whether a resumed training was stopped between a checkpoint and its validation."""
    info, done = runner.message_hub.runtime_info, _done(runner)
    if runner.val_loop is None or info.get(VALIDATED, done) == done:
        return False  # a checkpoint of an earlier version does not say
    loop = runner.train_loop
    loop._decide_current_val_interval()  # as mmengine's loop does before it looks
    end = loop.max_epochs if _counts_epochs(runner) else loop.max_iters
    return done >= loop.val_begin and (done % loop.val_interval == 0 or done == end)


def _keep_names_alone(info: dict, folder: str) -> None:
    """Take of the files that a checkpoint names the names alone: what is outdated is removed."""
    for key in [key for key in info if key.startswith('best_ckpt')]:
        best = Path(folder, Path(info[key]).name)
        info[key] = os.path.join(folder, best.name)
        if not best.name.startswith('best_'):
            del info[key]
    if not all(isinstance(one, int) for one in info.get('keep_ckpt_ids', [])):
        del info['keep_ckpt_ids']
