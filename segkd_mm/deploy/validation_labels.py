"""Hook whose validations predict label maps without their logits."""

from contextlib import ExitStack

from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmseg.registry import HOOKS

from segkd_mm.deploy.prediction import without_logits
from segkd_mm.hooks.unwrap import unwrapped_model


@HOOKS.register_module()
class ValidationLabelsHook(Hook):
    """Validations predict label maps alone, in less time and memory, with the same scores.

    As ``segkd test`` does, see :func:`segkd_mm.deploy.without_logits`: of a distiller the student
    does. A config with a metric that reads ``seg_logits`` has to leave the hook out:
    ``_base_.default_hooks.pop('validation_labels')``.
    """

    def __init__(self) -> None:
        self._without_logits = ExitStack()

    def before_val(self, runner: Runner) -> None:
        self.after_val(runner)  # of a validation before, which failed
        model = unwrapped_model(runner)
        student = getattr(model, 'student', model)
        self._without_logits.enter_context(without_logits(student))

    def after_val(self, runner: Runner) -> None:
        self._without_logits.close()
