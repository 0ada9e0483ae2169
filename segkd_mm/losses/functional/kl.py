"""KL divergences of logits: by pixel (response KD), by pixel after standardising, by channel."""

from torch import Tensor

from segkd_mm.losses.functional.common import (
    all_valid,
    in_float32,
    mean_over_valid,
    softmax_kl,
    standardise,
)


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
    kl = softmax_kl(student / temperature, teacher / temperature, dim=1)
    return temperature**2 * mean_over_valid(kl, valid)


@in_float32
def standardised_kl(
    student: Tensor, teacher: Tensor, valid: Tensor | None = None, temperature: float = 2.0
) -> Tensor:
    """:func:`pixel_kl` of logits standardised by pixel: logit standardisation.

    ``T² · mean_v KL(softmax_C(z(t) / T) ‖ softmax_C(z(s) / T))`` with
    ``z(x) = (x - mean_C x) / std_C x``: a student need only order and space its classes as the
    teacher does, at any shift and scale of its own.

    Source: arXiv 2403.01427, for classification, with T = 2 and a weight of 9 in its code, which
    carries over: both are means over what is classified. That code takes the unbiased standard
    deviation; this is the paper's.

    Args:
        student: Logits.
        teacher: Logits.
        valid: Which pixels count.
        temperature: T > 0.
    """
    student, teacher = (standardise(x, dim=1) / temperature for x in (student, teacher))
    return temperature**2 * mean_over_valid(softmax_kl(student, teacher, dim=1), valid)


@in_float32
def channel_wise(
    student: Tensor, teacher: Tensor, valid: Tensor | None = None, temperature: float = 4.0
) -> Tensor:
    """KL divergence of each channel's distribution over positions: CWD.

    ``T² / C · Σ_c KL(softmax_HW(t_c / T) ‖ softmax_HW(s_c / T))``, mean over the images with any
    valid position; void positions have no part in the softmax.

    Source: arXiv 2011.13256, whose code uses T = 4.

    Args:
        student: Logits, or features adapted to the teacher's channels.
        teacher: Logits or features.
        valid: Which positions count.
        temperature: T > 0.
    """
    valid = all_valid(student) if valid is None else valid
    student, teacher = ((x / temperature).flatten(2) for x in (student, teacher))
    kl = softmax_kl(student, teacher, dim=2, mask=valid.flatten(1)[:, None]).mean(dim=1)
    return temperature**2 * mean_over_valid(kl, valid.flatten(1).any(dim=1))
