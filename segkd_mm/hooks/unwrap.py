"""Access to a runner's model without its distributed wrapper."""

from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from torch import nn


def unwrapped_model(runner: Runner) -> nn.Module:
    """The runner's model, without ``DistributedDataParallel`` or another wrapper."""
    return runner.model.module if is_model_wrapper(runner.model) else runner.model
