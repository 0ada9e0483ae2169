"""Context manager for measurements: eval mode without autograd."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import nn


@contextmanager
def inference(*runs: Callable) -> Iterator[None]:
    """Set eval mode and turn off autograd inside the block; restore the modes afterwards."""
    modules = [module for run in runs if isinstance(run, nn.Module) for module in run.modules()]
    training = [module.training for module in modules]
    try:
        for module in modules:
            module.training = False
        with torch.inference_mode():
            yield
    finally:
        for module, mode in zip(modules, training, strict=True):
            module.training = mode
