"""Distillation losses as pure functions of student and teacher tensors.

All of them share these properties. Shapes are [N, C, H, W] for ``student`` and ``teacher``, and
[N, H, W] of bool for ``valid``, which is False at void pixels and padding (None: all count). The
result is a mean over what counts, so that a weight carries from one crop or batch size to another,
and zero where nothing counts. They are computed in float32, also under autocast, and no gradient
reaches the teacher.
"""

from collections.abc import Callable
from functools import wraps

import torch
import torch.nn.functional as F
from torch import Tensor


def in_float32(loss: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Make ``loss`` see float32 tensors, a detached teacher, like shapes, and no autocast."""

    @wraps(loss)
    def wrapper(student: Tensor, teacher: Tensor, *args, **kwargs) -> Tensor:
        if student.shape != teacher.shape:
            raise ValueError(
                f'{loss.__name__} compares student and teacher of one shape, got '
                f'{tuple(student.shape)} and {tuple(teacher.shape)}.'
            )
        with torch.autocast(student.device.type, enabled=False):
            return loss(student.float(), teacher.detach().float(), *args, **kwargs)

    return wrapper


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


def mean_over_valid(values: Tensor, valid: Tensor | None) -> Tensor:
    """Mean of ``values`` [N, H, W] where ``valid``; zero, with a gradient of zero, if nowhere."""
    if valid is None:
        return values.mean()
    return torch.where(valid, values, 0).sum() / valid.sum().clamp(min=1)


@in_float32
def pixel_kl(
    student: Tensor, teacher: Tensor, valid: Tensor | None = None, temperature: float = 1.0
) -> Tensor:
    """KL divergence of the class distributions, pixel by pixel: response distillation.

    ``T² · mean_v KL(softmax_C(t / T) ‖ softmax_C(s / T))``, in nats.

    Source: Hinton 2015, arXiv 1503.02531; for segmentation SKD, arXiv 1903.04197.

    Args:
        student: Logits.
        teacher: Logits.
        valid: Which pixels count.
        temperature: T > 0; above 1 it softens both distributions.
    """
    log_s = F.log_softmax(student / temperature, dim=1)
    log_t = F.log_softmax(teacher / temperature, dim=1)
    kl = (log_t.exp() * (log_t - log_s)).sum(dim=1)
    return temperature**2 * mean_over_valid(kl, valid)


@in_float32
def cosine_feature(student: Tensor, teacher: Tensor, valid: Tensor | None = None) -> Tensor:
    """``mean_v (1 - cos(s, t))`` along channels: 0 for like directions, 2 for opposite ones.

    Computed as half the squared distance of the unit vectors, which is the same but 0, too, where
    both are zero, as after a ReLU. Vectors shorter than 1e-4 count as shorter than a unit, lest
    their gradient explode.

    Source: the feature distillation of the project that this toolbox was conceived from.

    Args:
        student: Features, adapted to the teacher's channels.
        teacher: Features.
        valid: Which positions count.
    """
    student, teacher = (F.normalize(x, dim=1, eps=1e-4) for x in (student, teacher))
    return mean_over_valid((student - teacher).square().sum(dim=1) / 2, valid)


@in_float32
def fitnet(student: Tensor, teacher: Tensor, valid: Tensor | None = None) -> Tensor:
    """``mean_{v,C} (s - t)²``.

    Source: FitNets, arXiv 1412.6550.

    Args:
        student: Features, adapted to the teacher's channels.
        teacher: Features.
        valid: Which positions count.
    """
    return mean_over_valid((student - teacher).square().mean(dim=1), valid)


@in_float32
def channel_wise(
    student: Tensor, teacher: Tensor, valid: Tensor | None = None, temperature: float = 4.0
) -> Tensor:
    """KL divergence of each channel's distribution over positions: CWD.

    ``T² / C · Σ_c KL(softmax_HW(t_c / T) ‖ softmax_HW(s_c / T))``, mean over the images of which
    any position counts; positions that do not count have no part in the softmax.

    Source: arXiv 2011.13256, whose code uses T = 4.

    Args:
        student: Logits, or features adapted to the teacher's channels.
        teacher: Logits or features.
        valid: Which positions count.
        temperature: T > 0.
    """
    if valid is None:
        valid = student.new_ones(student[:, 0].shape, dtype=torch.bool)
    log_s = _log_softmax_over(student / temperature, valid)
    log_t = _log_softmax_over(teacher / temperature, valid)
    kl = (log_t.exp() * (log_t - log_s)).sum(dim=2).mean(dim=1)
    images = valid.flatten(1).any(dim=1).sum()
    return temperature**2 * kl.sum() / images.clamp(min=1)


def _log_softmax_over(x: Tensor, valid: Tensor) -> Tensor:
    """Log-softmax of [N, C, H, W] over the valid positions, 0 at the others: [N, C, H·W]."""
    valid = valid[:, None].flatten(2)
    # The lowest finite value rather than -inf, which would make NaN of an image without any.
    x = torch.where(valid, x.flatten(2), torch.finfo(x.dtype).min)
    return torch.where(valid, F.log_softmax(x, dim=2), 0)
