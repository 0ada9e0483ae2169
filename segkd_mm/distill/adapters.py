"""Adapters from the student's channels to the teacher's, and resizing of both to one size."""

import torch.nn.functional as F
from mmseg.registry import MODELS
from torch import Tensor, nn


def build_adapter(
    config: str | dict | None, student_channels: int, teacher_channels: int
) -> nn.Module:
    """Build the module that maps the student's channels to the teacher's.

    Args:
        config: None for no adapter, ``'auto'`` for a 1x1 conv where the channels differ and
            nothing where they do not, or the config of a registered module.
        student_channels: Channels of the student's tap.
        teacher_channels: Channels of the teacher's tap.

    Raises:
        ValueError: ``config`` is another string.
    """
    if config is None or (config == 'auto' and student_channels == teacher_channels):
        return nn.Identity()
    if config == 'auto':
        return nn.Conv2d(student_channels, teacher_channels, 1)
    if isinstance(config, str):
        raise ValueError(f"adapter is {config!r}, expected 'auto', None or the config of a module.")
    return MODELS.build(config)


def to_common_size(student: Tensor, teacher: Tensor) -> tuple[Tensor, Tensor]:
    """Average the larger of two maps down to the size of the smaller.

    Down rather than up: the cost of a term is that of its coarsest map, and no detail is compared
    that one of the maps does not have.

    Args:
        student: [N, C, h, w].
        teacher: [N, C', H, W].

    Returns:
        Both at [min(h, H), min(w, W)].
    """
    size = tuple(map(min, student.shape[2:], teacher.shape[2:]))
    return average_to(student, size), average_to(teacher, size)


def average_to(x: Tensor, size: tuple[int, int]) -> Tensor:
    """Average a map [N, C, H, W] down to ``size``; unchanged if it has that size."""
    return x if x.shape[2:] == size else F.adaptive_avg_pool2d(x, size)
