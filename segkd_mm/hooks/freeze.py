"""Freezing the first part of a model."""

from typing import Literal

from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from mmseg.registry import HOOKS
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm


@HOOKS.register_module()
class FreezeHook(Hook):
    """Keep the first parameter tensors of the model as they are when training starts.

    The log says what was frozen.

    Args:
        first: How many tensors, in the order of ``model.named_parameters()``: the stem first.
        norm_stats: What the batch norms whose scale is frozen do with their running statistics:
            ``'keep'`` them and normalise by them, or ``'update'`` them from the new images.

    Raises:
        ValueError: ``first`` is not among 1 to the number of tensors, or another ``norm_stats``.
    """

    priority = 'VERY_LOW'  # when weights are loaded and nothing changes the model any more

    def __init__(self, first: int, norm_stats: Literal['keep', 'update']) -> None:
        if norm_stats not in ('keep', 'update'):
            raise ValueError(f"norm_stats is {norm_stats!r}, expected 'keep' or 'update'.")
        self.first = first
        self.norm_stats = norm_stats

    def before_train(self, runner: Runner) -> None:
        wrapped = is_model_wrapper(runner.model)
        model = runner.model.module if wrapped else runner.model
        names = self._freeze(model)
        self.norms = [m for m in model.modules() if isinstance(m, _BatchNorm) and _is_frozen(m)]
        if wrapped:
            # DistributedDataParallel waits for gradients of all that could train when it was made.
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
        # The loop puts the whole model in training mode after the hooks of an epoch's start.
        if self.norm_stats == 'keep':
            for norm in self.norms:
                norm.training = False


def _is_frozen(norm: nn.Module) -> bool:
    return norm.affine and not norm.weight.requires_grad


def _count(model: nn.Module, frozen: bool = False) -> int:
    return sum(p.numel() for p in model.parameters() if not (frozen and p.requires_grad))
