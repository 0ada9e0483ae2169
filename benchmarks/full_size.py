"""Terms at the size of the images, as most toolboxes have them: what ours are measured against.

In training:
  PYTHONPATH=benchmarks python tools/train.py benchmarks/slim_response_full_size_camvid.py
"""

from collections.abc import Callable

import torch.nn.functional as F
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmseg.registry import HOOKS
from torch import Tensor, nn

from segkd_mm.hooks.unwrap import unwrapped_model

Inputs = tuple[Tensor, dict[str, Tensor], Tensor]


def at_stride(stride: int) -> Callable[[nn.Module, Inputs], Inputs]:
    """What to do before a term's forward, so that it compares at a stride of the labels [N, H, W].

    Maps that are finer are averaged, those that are coarser are interpolated (bilinear).
    """

    def resized(_term: nn.Module, inputs: Inputs) -> Inputs:
        student, teacher, labels = inputs
        size = tuple(-(-side // stride) for side in labels.shape[1:])
        return _to(student, size), {tap: _to(x, size) for tap, x in teacher.items()}, labels

    return resized


def _to(x: Tensor, size: tuple[int, int]) -> Tensor:
    if x.shape[2] > size[0]:
        return F.adaptive_avg_pool2d(x, size)
    return F.interpolate(x, size, mode='bilinear')


at_full_size = at_stride(1)


@HOOKS.register_module()
class FullSizeTermsHook(Hook):
    """All terms of a distiller compare at the size of the images."""

    def before_train(self, runner: Runner) -> None:
        """Put the terms so."""
        for term in unwrapped_model(runner).terms.values():
            term.register_forward_pre_hook(at_full_size)
