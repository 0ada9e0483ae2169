"""Hook that freezes the first N parameter tensors of a model."""

from typing import Literal

from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmseg.registry import HOOKS
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from segkd_mm.hooks.unwrap import unwrapped_model


@HOOKS.register_module()
class FreezeHook(Hook):
    """Freeze the first parameter tensors of the model; the log says which.

    Args:
        first: Number of tensors, in the order of ``model.named_parameters()``: the stem first.
        norm_stats: What batch norms with a frozen scale do with their running statistics:
            ``'keep'`` them and normalise by them, or ``'update'`` them from the training images.

    Raises:
        ValueError: ``first`` is not in the range 1 to the number of tensors, or unknown
            ``norm_stats``.
    """

    priority = 'VERY_LOW'  # after weights are loaded and other hooks have changed the model

    def __init__(self, first: int, norm_stats: Literal['keep', 'update']) -> None:
        if norm_stats not in ('keep', 'update'):
            raise ValueError(f"norm_stats is {norm_stats!r}, expected 'keep' or 'update'.")
        self.first = first
        self.norm_stats = norm_stats

    def before_train(self, runner: Runner) -> None:
        model = unwrapped_model(runner)
        names = self._freeze(model)
        self.norms = [m for m in model.modules() if isinstance(m, _BatchNorm) and _is_frozen(m)]
        if model is not runner.model:
            # DistributedDataParallel waits for gradients of all parameters that were trainable when
            # it was built.
            runner.model = runner.wrap_model(runner.cfg.get('model_wrapper_cfg'), model)
        runner.logger.info(
            f'FreezeHook froze {len(names)} of {len(list(model.parameters()))} parameter tensors '
            f'({_count(model, frozen=True):,} of {_count(model):,} parameters), {names[0]} to '
            f'{names[-1]}; {len(self.norms)} batch norms {self.norm_stats} their statistics.'
        )

    def _freeze(self, model: nn.Module) -> list[str]:
        parameters = list(model.named_parameters())
        if not 1 <= self.first <= len(parameters):
            raise ValueError(
                f'FreezeHook: first is {self.first}, expected 1 to {len(parameters)}, the number '
                f'of parameter tensors of {type(model).__name__}.'
            )
        for _, parameter in parameters[: self.first]:
            parameter.requires_grad_(False)
        return [name for name, _ in parameters[: self.first]]

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict | None = None
    ) -> None:
        # The loop sets training mode after the before_train_epoch hooks, so it is set here.
        if self.norm_stats == 'keep':
            for norm in self.norms:
                norm.training = False


def _is_frozen(norm: nn.Module) -> bool:
    return norm.affine and not norm.weight.requires_grad


def _count(model: nn.Module, frozen: bool = False) -> int:
    return sum(p.numel() for p in model.parameters() if not (frozen and p.requires_grad))
