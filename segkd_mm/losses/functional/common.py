"""What the losses share: float32, what counts, and statistics over it."""

from collections.abc import Callable
from functools import partial, wraps

import torch
import torch.nn.functional as F
from torch import Tensor


def in_float32(loss: Callable[..., Tensor], same_channels: bool = True) -> Callable[..., Tensor]:
    """Make ``loss`` see float32 tensors, a detached teacher, like shapes, and no autocast."""

    def compared(x: Tensor) -> tuple[int, ...]:
        return tuple(x.shape) if same_channels else (*x.shape[:1], *x.shape[2:])

    @wraps(loss)
    def wrapper(student: Tensor, teacher: Tensor, *args, **kwargs) -> Tensor:
        if compared(student) != compared(teacher):
            raise ValueError(
                f'{loss.__name__} compares student and teacher of one shape'
                f'{"" if same_channels else " (channels aside)"}, got '
                f'{tuple(student.shape)} and {tuple(teacher.shape)}.'
            )
        with torch.autocast(student.device.type, enabled=False):
            return loss(student.float(), teacher.detach().float(), *args, **kwargs)

    return wrapper


# For losses of what positions have to do with one another, whatever their channels.
across_channels = partial(in_float32, same_channels=False)


def valid_pixels(labels: Tensor, size: tuple[int, int], ignore_index: int = 255) -> Tensor:
    """The positions of a smaller map that count: those of which half or more has a label.

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
        [N, h, w] of int64; -1 where the middle is void, or the position does not count as
        :func:`valid_pixels` has it.
    """
    # Class ids are exact in float32, which every backend can resize.
    middle = F.interpolate(labels[:, None].float(), size, mode='nearest-exact')[:, 0].long()
    counts = valid_pixels(labels, size, ignore_index) & (middle != ignore_index)
    return torch.where(counts, middle, -1)


def class_masks(labels: Tensor, num_classes: int) -> Tensor:
    """Where each class is: [N, num_classes, H·W] of bool, from :func:`labels_at`."""
    classes = torch.arange(num_classes, device=labels.device)
    return classes[:, None] == labels.flatten(1)[:, None]


def everywhere(x: Tensor) -> Tensor:
    """The mask of [N, C, H, W] that leaves nothing out: [N, H, W] of bool."""
    return x.new_ones(x[:, 0].shape, dtype=torch.bool)


def mean_over_valid(values: Tensor, valid: Tensor | None) -> Tensor:
    """Mean of ``values`` where ``valid``, of one shape; zero, and no gradient, if nowhere."""
    if valid is None:
        return values.mean()
    return torch.where(valid, values, 0).sum() / valid.sum().clamp(min=1)


def standardise(
    x: Tensor, dim: int | tuple[int, ...], valid: Tensor | None = None, least: float = 1e-4
) -> Tensor:
    """Zero mean and unit variance along ``dim``.

    Args:
        x: Any tensor.
        dim: Along which to standardise.
        valid: Which elements count, broadcast to ``x``; the others come out as 0.
        least: Standard deviations below it count as it, lest the gradient explode.
    """
    valid = torch.ones_like(x, dtype=torch.bool) if valid is None else valid.expand_as(x)
    count = valid.sum(dim, keepdim=True).clamp(min=1)
    mean = torch.where(valid, x, 0).sum(dim, keepdim=True) / count
    centred = torch.where(valid, x - mean, 0)
    variance = centred.square().sum(dim, keepdim=True) / count
    return centred * variance.clamp(min=least**2).rsqrt()


def softmax_kl(student: Tensor, teacher: Tensor, dim: int, among: Tensor | None = None) -> Tensor:
    """``KL(softmax(teacher) ‖ softmax(student))`` along ``dim``, in nats; 0 among nothing.

    Args:
        student: Any tensor.
        teacher: Of the same shape.
        dim: Along which the distributions are.
        among: What has a part in them, broadcast to the tensors; None for all.
    """
    log_s, log_t = (log_softmax_among(x, dim, among) for x in (student, teacher))
    return (log_t.exp() * (log_t - log_s)).sum(dim)


def log_softmax_among(x: Tensor, dim: int, among: Tensor | None) -> Tensor:
    """Log-softmax along ``dim`` over what is ``among`` it, 0 elsewhere; see :func:`softmax_kl`."""
    if among is None:
        return F.log_softmax(x, dim)
    # The lowest finite value rather than -inf, which would make NaN among nothing.
    x = torch.where(among, x, torch.finfo(x.dtype).min)
    return torch.where(among, F.log_softmax(x, dim), 0)
