"""Modules of the channel terms of CIRKDv2, and its queue of teacher channels."""

from typing import Any

import torch
from mmseg.registry import MODELS
from torch import Tensor

from segkd_mm.losses import functional
from segkd_mm.losses.modules.base import KDLoss, set_positive
from segkd_mm.losses.modules.memory import ClassQueue


@MODELS.register_module()
class ChannelRelationLoss(KDLoss):
    """Module of :func:`segkd_mm.losses.functional.channel_relations` (CIRKDv2, mini-batch)."""

    def __init__(self, temperature: float = 0.1, pool: int = 4, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        set_positive(self, temperature=temperature, pool=pool)

    def compute(self, student: Tensor, teacher: Tensor, valid: Tensor | None) -> Tensor:
        return functional.channel_relations(student, teacher, valid, self.temperature, self.pool)


@MODELS.register_module()
class ChannelDirectionLoss(KDLoss):
    """Module of :func:`segkd_mm.losses.functional.channel_direction` (CIRKDv2)."""

    def __init__(self, pool: int = 4, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        set_positive(self, pool=pool)

    def compute(self, student: Tensor, teacher: Tensor, valid: Tensor | None) -> Tensor:
        return functional.channel_direction(student, teacher, valid, self.pool)


@MODELS.register_module()
class ChannelMemoryLoss(KDLoss):
    """:func:`segkd_mm.losses.functional.channel_affinity` to queued teacher channels: CIRKDv2.

    Channels of the teacher, as unit vectors over the image, go into a queue before student and
    teacher are compared by their similarities to channels sampled from it. The queue is in the
    checkpoint, and the same in all processes.

    Source: CIRKDv2's code with these defaults. Its queue starts as noise, here empty; its
    projection of the student is the term's adapter.

    Args:
        windows: n, the windows of the map of a crop: of 512 x 512 pixels at stride 8, 64 x 64
            positions, 16 x 16 with ``pool=4``.
        temperature: τ > 0.
        size: Channels kept: the queue takes 4·size·n bytes.
        keys: Channels to compare with.
        pool: Side of a window in positions.
        **kwargs: Of :class:`KDLoss`.
    """

    channels_per_step = 256
    """Channels that a step of a process adds to the queue, at most."""

    def __init__(
        self,
        windows: int,
        temperature: float = 0.1,
        size: int = 10000,
        keys: int = 2048,
        pool: int = 4,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        set_positive(self, windows=windows, temperature=temperature, pool=pool)
        set_positive(self, size=size, keys=keys)
        self.queue = ClassQueue(1, size, windows)

    def compute(self, student: Tensor, teacher: Tensor, valid: Tensor | None) -> Tensor:
        with torch.autocast(teacher.device.type, enabled=False):
            self._enqueue(teacher.float(), valid)
        keys = self.queue.sample(self.keys)
        return functional.channel_affinity(
            student, teacher, valid, keys=keys, temperature=self.temperature, pool=self.pool
        )

    @torch.no_grad()
    def _enqueue(self, teacher: Tensor, valid: Tensor | None) -> None:
        if valid is not None:
            teacher = torch.where(valid[:, None], teacher, 0)
        maps = functional.channel_maps(teacher, valid, self.pool).flatten(0, 1)
        if maps.shape[1] != self.windows:
            raise ValueError(
                f'ChannelMemoryLoss: windows is {self.windows}, found {maps.shape[1]} windows in a '
                f'map of {tuple(teacher.shape[2:])} positions: write windows={maps.shape[1]}.'
            )
        count = min(self.channels_per_step, len(maps))
        chosen = torch.randperm(len(maps), device=maps.device)[:count]
        drawn = maps[chosen, None]
        # A channel of an image without any valid position has no direction.
        self.queue.enqueue(drawn, drawn.any(2))
