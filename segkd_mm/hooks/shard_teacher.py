"""Hook that splits the weights of a large teacher among the processes."""

from collections.abc import Sequence

import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmseg.registry import HOOKS
from torch.distributed import is_initialized

from segkd_mm.hints import did_you_mean
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
        ValueError: A part does not exist, or the model has no teacher to split.
    """

    def __init__(self, parts: Sequence[str]) -> None:
        self.parts = parts

    def before_train(self, runner: Runner) -> None:
        model = getattr(getattr(unwrapped_model(runner), 'teacher', None), 'model', None)
        if model is None:
            raise ValueError(
                'ShardTeacherHook is for a SegDistiller whose teacher runs in the training, and '
                'this model has none. Leave the hook out.'
            )
        names = dict(model.named_modules())
        if unknown := [part for part in self.parts if part not in names]:
            raise ValueError(
                f'ShardTeacherHook: the teacher has no module {unknown[0]!r}'
                f'{did_you_mean(unknown[0], names)}; expected names such as backbone.layer1.'
            )
        if not is_initialized():
            return
        from torch.distributed.fsdp import fully_shard  # takes a second to import

        model.to(memory_format=torch.contiguous_format)  # what can be split
        for part in [*map(model.get_submodule, self.parts), model]:
            fully_shard(part, reshard_after_forward=True)
