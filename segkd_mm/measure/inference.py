"""Context in which models are measured: eval mode, no autograd."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import nn


@contextmanager
def inference(*runs: Callable) -> Iterator[None]:
    """Eval mode and no autograd inside; afterwards every module is in the mode that it was in."""
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
