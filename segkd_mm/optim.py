"""Optimizer wrapper for mixed-precision training on a CPU."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from mmengine.optim import AmpOptimWrapper, OptimWrapper
from mmengine.registry import OPTIM_WRAPPERS
from mmengine.runner import autocast
from torch import nn


@OPTIM_WRAPPERS.register_module()
class CPUAmpOptimWrapper(OptimWrapper):
    """Mixed precision on a CPU: forward pass in bf16, weights in channels_last.

    Weights, their gradients and the optimizer's state stay float32. bf16 has the range of float32,
    so that gradients need no scaling. It is faster only on a processor with bf16 instructions
    (``lscpu``: avx512_bf16 or amx_bf16) and together with channels_last; docs/fast_training.md has
    the times.

    Args:
        **kwargs: As of ``OptimWrapper``.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._formatted: nn.Module | None = None

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Context of the forward pass of a training step."""
        if self._formatted is not model:
            self._formatted = model.to(memory_format=torch.channels_last)
        with super().optim_context(model), autocast('cpu', torch.bfloat16):
            yield


def amp_wrapper(device: str) -> str:
    """Name of the optimizer wrapper for mixed precision on a device type, such as ``cuda``."""
    return (CPUAmpOptimWrapper if device == 'cpu' else AmpOptimWrapper).__name__
