"""Mixed precision where mmengine has none."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from mmengine.optim import AmpOptimWrapper, OptimWrapper
from mmengine.registry import OPTIM_WRAPPERS
from mmengine.runner import autocast
from torch import nn


@OPTIM_WRAPPERS.register_module()
class CPUAmpOptimWrapper(OptimWrapper):
    """mmengine's ``AmpOptimWrapper`` for a CPU: the forward in bf16, the weights channels_last.

    Weights, their gradients and the optimizer's state stay float32. bf16 has float32's range, so
    that no gradient underflows and none need be scaled. It takes a processor with bf16
    instructions (``lscpu``: avx512_bf16 or amx_bf16) to be faster, and together with channels_last:
    docs/fast_training.md has both apart.

    Args:
        **kwargs: As of ``OptimWrapper``.
    """

    def __init__(self, **kwargs) -> None:
        super().__init__(**kwargs)
        self._formatted: nn.Module | None = None

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Around the forward of a training step."""
        if self._formatted is not model:
            self._formatted = model.to(memory_format=torch.channels_last)
        with super().optim_context(model), autocast('cpu', torch.bfloat16):
            yield


def amp_wrapper(device: str) -> str:
    """The type of optimizer wrapper for mixed precision on a device, such as ``cuda``."""
    return (CPUAmpOptimWrapper if device == 'cpu' else AmpOptimWrapper).__name__
