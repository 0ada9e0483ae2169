"""Hook that logs how distillation terms act: weight, gradient and agreement with the teacher."""

from contextlib import ExitStack
from functools import partial

from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmseg.registry import HOOKS
from torch import Tensor, nn

from segkd_mm.gradient_ratios import Losses, gradient_ratios, outputs_of, trunk_of
from segkd_mm.hooks.progress import is_logged
from segkd_mm.hooks.unwrap import unwrapped_model


@HOOKS.register_module()
class TermStatisticsHook(Hook):
    """Log numbers about each term in the iterations that are logged; the training stays the same.

    - ``terms.NAME.weight``: of the loss, at this point of the term's schedule.
    - ``terms.NAME.gradient_ratio``: see :func:`segkd_mm.gradient_ratios.gradient_ratios`.
    - ``terms.NAME.agreement``: for terms on logits, the share of the pixels of the crops, 0 to 1,
      where student and teacher find the same class, at the size at which they are compared.

    The numbers are of one batch. In such an iteration the labels' loss and each term cost one more
    backward pass, down to the outputs of the backbone. Models without terms are left alone.
    """

    def __init__(self) -> None:
        self._measuring = ExitStack()

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict | None = None
    ) -> None:
        model = unwrapped_model(runner)
        if not getattr(model, 'terms', None) or not is_logged(runner, batch_idx):
            return
        log = partial(_log, runner)
        features = self._measuring.enter_context(outputs_of(trunk_of(model.student)))
        for name, term in model.terms.items():
            log(f'{name}.weight', term.weight)
            if term.is_logits:
                handle = term.register_forward_hook(partial(_log_agreement, log, name))
                self._measuring.callback(handle.remove)
        parse_losses = model.parse_losses

        def parse_and_log(losses: Losses) -> tuple[Tensor, dict]:
            for name, ratio in gradient_ratios(model, losses, features).items():
                log(f'{name}.gradient_ratio', ratio)
            return parse_losses(losses)

        # The losses have their graph nowhere but here: inside of mmengine's train_step.
        model.parse_losses = parse_and_log
        self._measuring.callback(delattr, model, 'parse_losses')

    def after_train_iter(self, runner: Runner, *_, **__) -> None:
        self._measuring.close()

    def after_run(self, runner: Runner) -> None:
        self._measuring.close()


def _log(runner: Runner, key: str, value: float) -> None:
    runner.message_hub.update_scalar(f'train/terms.{key}', value)


def _log_agreement(log: partial, name: str, term: nn.Module, inputs: tuple, _: Tensor) -> None:
    student, teacher, _ = inputs
    if term.is_on and term.mixture.is_available(teacher):
        log(f'{name}.agreement', term.agreement(student, teacher))
