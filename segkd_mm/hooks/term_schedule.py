"""Hook that updates the scheduled weights of distillation terms during training."""

from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmseg.registry import HOOKS

from segkd_mm.hooks.unwrap import unwrapped_model


@HOOKS.register_module()
class TermScheduleHook(Hook):
    """Set the training progress of a distiller's terms, which scales those with a ``schedule``.

    The progress is ``iteration / max_iters``, 0 to 1, so that a schedule fits trainings of any
    length and resumed ones. Models without terms are not changed.
    """

    priority = 'VERY_HIGH'

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict | None = None
    ) -> None:
        for term in getattr(unwrapped_model(runner), 'terms', {}).values():
            term.set_progress(runner.iter / runner.max_iters)
