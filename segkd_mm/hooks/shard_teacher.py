"""Hook that splits the weights of a large teacher among the processes."""

from collections.abc import Sequence

import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmseg.registry import HOOKS
from torch.distributed import is_initialized

from segkd_mm.hooks.unwrap import unwrapped_model


@HOOKS.register_module()
class ShardTeacherHook(Hook):
    """Split the teacher's weights among the processes, by torch's ``fully_shard`` (FSDP2).

    Each process holds a share of each part and gathers a part for the time that it runs it. The
    student is trained as without the hook, and so is what it learns. In one process nothing
    changes.

    Args:
        parts: Names of the modules of the teacher's model that are gathered as a whole, such as
            ``backbone.layer1``: a process has to hold the largest of them. What is in none of them
            is one more part.

    Raises:
        AttributeError: A part does not exist.
    """

    def __init__(self, parts: Sequence[str]) -> None:
        self.parts = parts

    def before_train(self, runner: Runner) -> None:
        if not is_initialized():
            return
        from torch.distributed.fsdp import fully_shard  # takes a second to import

        model = unwrapped_model(runner).teacher.model
        model.to(memory_format=torch.contiguous_format)  # what can be split
        for part in [*map(model.get_submodule, self.parts), model]:
            fully_shard(part, reshard_after_forward=True)
