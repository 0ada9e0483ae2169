"""Shared parts of the losses: float32 and void masking, labels at map size, masked statistics."""

from collections.abc import Callable
from functools import partial, wraps

import torch
import torch.nn.functional as F
from torch import Tensor


def in_float32(loss: Callable[..., Tensor], same_channels: bool = True) -> Callable[..., Tensor]:
    """Decorator of losses: float32 without autocast, teacher detached, shapes checked, void zeroed.

    Void is zeroed before the loss sees it. Masking the result alone is not enough: the gradient
    of a softmax or a norm at an infinite value is NaN, and NaN times a mask's 0 is NaN.
    """

    def compared_shape(x: Tensor) -> tuple[int, ...]:
        return tuple(x.shape) if same_channels else (*x.shape[:1], *x.shape[2:])

    @wraps(loss)
    def wrapper(student: Tensor, teacher: Tensor, *args, **kwargs) -> Tensor:
        if compared_shape(student) != compared_shape(teacher):
            raise ValueError(
                f'{loss.__name__} compares student and teacher of one shape'
                f'{"" if same_channels else " (channels aside)"}, got '
                f'{tuple(student.shape)} and {tuple(teacher.shape)}.'
            )
        maps = student, teacher.detach()
        valid = _valid_argument(*args, **kwargs)
        if valid is not None:
            maps = (torch.where(valid[:, None], x, 0) for x in maps)
        with torch.autocast(student.device.type, enabled=False):
            return loss(*(x.float() for x in maps), *args, **kwargs)

    return wrapper


# Decorator of the losses of relations between positions: any channels.
across_channels = partial(in_float32, same_channels=False)


def _valid_argument(
    valid: Tensor | None = None, *_args, labels: Tensor | None = None, **_kwargs
) -> Tensor | None:
    """The mask of valid positions in a loss's arguments after the maps: its mask, or its labels."""
    valid = labels if valid is None else valid
    return valid if valid is None or valid.dtype == torch.bool else valid >= 0


def valid_pixels(labels: Tensor, size: tuple[int, int], ignore_index: int = 255) -> Tensor:
    """Mask of the positions of a smaller map of which half or more has a label.

    Args:
        labels: Class ids, [N, H, W] of int; ``ignore_index`` at void pixels and padding.
        size: (h, w) of the map.
        ignore_index: The id of void.

    Returns:
        [N, h, w] of bool.
    """
    labelled = (labels != ignore_index).float()[:, None]
    return F.adaptive_avg_pool2d(labelled, size)[:, 0] >= 0.5


def labels_at(labels: Tensor, size: tuple[int, int], ignore_index: int = 255) -> Tensor:
    """Labels at the size of a map: those of the pixels in the middle of its positions.

    Args:
        labels: Class ids, [N, H, W] of int; ``ignore_index`` at void pixels and padding.
        size: (h, w) of the map.
        ignore_index: The id of void.

    Returns:
        [N, h, w] of int64; -1 where the middle is void or :func:`valid_pixels` is False.
    """
    # Class ids are exact in float32, which every backend can resize.
    middle = F.interpolate(labels[:, None].float(), size, mode='nearest-exact')[:, 0].long()
    valid = valid_pixels(labels, size, ignore_index) & (middle != ignore_index)
    return torch.where(valid, middle, -1)


def class_masks(labels: Tensor, num_classes: int) -> Tensor:
    """Mask of each class, [N, num_classes, H·W] of bool, from labels of :func:`labels_at`."""
    classes = torch.arange(num_classes, device=labels.device)
    return classes[:, None] == labels.flatten(1)[:, None]


def all_valid(x: Tensor) -> Tensor:
    """Mask of a map [N, C, H, W] without void: [N, H, W] of True."""
    return x.new_ones(x[:, 0].shape, dtype=torch.bool)


def mean_over_valid(values: Tensor, valid: Tensor | None) -> Tensor:
    """Mean of ``values`` where ``valid``, of one shape; zero, and no gradient, if nowhere."""
    if valid is None:
        return values.mean()
    return torch.where(valid, values, 0).sum() / valid.sum().clamp(min=1)


def standardise(
    x: Tensor, dim: int | tuple[int, ...], valid: Tensor | None = None, min_std: float = 1e-4
) -> Tensor:
    """Shift and scale to zero mean and unit variance along ``dim``.

    Args:
        x: Any tensor.
        dim: Along which to standardise.
        valid: Which elements count, broadcast to ``x``; the others come out as 0.
        min_std: Smaller standard deviations count as this one, so that the gradient is bounded.
    """
    valid = torch.ones_like(x, dtype=torch.bool) if valid is None else valid.expand_as(x)
    count = valid.sum(dim, keepdim=True).clamp(min=1)
    mean = torch.where(valid, x, 0).sum(dim, keepdim=True) / count
    centred = torch.where(valid, x - mean, 0)
    variance = centred.square().sum(dim, keepdim=True) / count
    return centred * variance.clamp(min=min_std**2).rsqrt()


def softmax_kl(student: Tensor, teacher: Tensor, dim: int, mask: Tensor | None = None) -> Tensor:
    """``KL(softmax(teacher) ‖ softmax(student))`` along ``dim``, in nats.

    Args:
        student: Any tensor.
        teacher: Of the same shape.
        dim: Along which the distributions are.
        mask: Elements of the distributions, broadcast to the tensors; None for all. Where it has
            none along ``dim``, the divergence is 0.
    """
    log_s, log_t = (masked_log_softmax(x, dim, mask) for x in (student, teacher))
    return (log_t.exp() * (log_t - log_s)).sum(dim)


def masked_log_softmax(x: Tensor, dim: int, mask: Tensor | None) -> Tensor:
    """Log-softmax along ``dim`` over the elements in ``mask``, 0 at the others; None: over all."""
    if mask is None:
        return F.log_softmax(x, dim)
    # The lowest finite value rather than -inf, which would make NaN of an empty mask.
    x = torch.where(mask, x, torch.finfo(x.dtype).min)
    return torch.where(mask, F.log_softmax(x, dim), 0)
