"""Weights of distillation terms that change in the course of the training."""

from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from mmseg.registry import HOOKS


@HOOKS.register_module()
class TermScheduleHook(Hook):
    """Tell the terms of a distiller how far the training is, for those that have a ``schedule``.

    The part that is done is ``iteration / iterations of the whole training``, so that a schedule
    fits any recipe and a resumed run goes on at its place. Models without terms are left alone.
    """

    priority = 'VERY_HIGH'

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict | None = None
    ) -> None:
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        for term in getattr(model, 'terms', {}).values():
            term.set_progress(runner.iter / runner.max_iters)
