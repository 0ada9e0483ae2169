"""DIST: correlation of student and teacher probabilities, by pixel and by class."""

import torch.nn.functional as F
from torch import Tensor

from segkd_mm.losses.functional.common import (
    all_valid,
    in_float32,
    mean_over_valid,
    standardise,
)

# Small enough for the classes that a sure teacher gives 1e-6 or less.
MIN_STD = 1e-6


@in_float32
def dist(
    student: Tensor,
    teacher: Tensor,
    valid: Tensor | None = None,
    temperature: float = 1.0,
    beta: float = 1.0,
    gamma: float = 1.0,
) -> Tensor:
    """One minus the correlation of probabilities, by pixel and by class: DIST.

    ``beta · mean_v (1 - r_C(s, t)) + gamma · mean_C (1 - r_v(s, t))`` with Pearson's r over the
    classes of a pixel, and over all valid pixels of the batch for a class, of softmax_C(· / T).
    A shift or a positive scale of a pixel's or a class's probabilities changes nothing.

    Computed as half the mean squared distance of the standardised values, which is the same, and
    0 where both are constant, as for a class that is nowhere (1 in the authors' code, without a
    gradient). A standard deviation below 1e-6 counts as 1e-6, which bounds the gradient; the
    authors add 1e-8 to the product of the norms. A class of such small probabilities counts less
    here.

    With two classes the correlation over them is ±1: use gamma alone.

    Source: arXiv 2205.10536; its segmentation code has these defaults, which carry over, and all
    pixels count there.

    Args:
        student: Logits.
        teacher: Logits.
        valid: Which pixels count.
        temperature: T > 0.
        beta: Weight of the relations between classes.
        gamma: Weight of the relations within a class.
    """
    valid = all_valid(student) if valid is None else valid
    probabilities = [F.softmax(x / temperature, dim=1) for x in (student, teacher)]
    s, t = (standardise(x, 1, min_std=MIN_STD) for x in probabilities)
    by_pixel = (s - t).square().mean(dim=1) / 2
    s, t = (standardise(x, (0, 2, 3), valid[:, None], MIN_STD) for x in probabilities)
    by_class = (s - t).square().mean(dim=1) / 2
    return beta * mean_over_valid(by_pixel, valid) + gamma * mean_over_valid(by_class, valid)
