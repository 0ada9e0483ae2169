"""Decoupled distillation (DKD): KL of the label's class against the rest, and of the rest."""

import torch
from torch import Tensor

from segkd_mm.losses.functional.common import in_float32, mean_over_valid, softmax_kl


@in_float32
def dkd(
    student: Tensor,
    teacher: Tensor,
    labels: Tensor,
    temperature: float = 4.0,
    alpha: float = 1.0,
    beta: float = 8.0,
) -> Tensor:
    """KL of the label's class against the rest, and of the rest by itself: DKD.

    ``T² · mean_v (alpha · KL(b(t) ‖ b(s)) + beta · KL(q(t) ‖ q(s)))``, where b is the probability
    of the label's class and of all others together, and q the distribution over the others alone,
    both from softmax_C(· / T). Plain KL is the same with alpha 1 and, for beta, the teacher's
    probability of the others, which is small where the teacher is sure of the label.

    Source: arXiv 2203.08679, for classification, with these defaults and a linear warm-up over the
    first 20 epochs in its code. Its weights carry over: both are means over what is classified.

    Args:
        student: Logits.
        teacher: Logits.
        labels: Class ids at the map's size, -1 at void.
        temperature: T > 0.
        alpha: Weight of the label's class against the rest.
        beta: Weight of the rest by itself.
    """
    target = labels.clamp(min=0)[:, None]
    others = torch.arange(student.shape[1], device=labels.device)[:, None, None] != target

    def target_and_rest(x: Tensor) -> Tensor:
        rest = torch.where(others, x, torch.finfo(x.dtype).min).logsumexp(1, keepdim=True)
        return torch.cat([x.gather(1, target), rest], dim=1)

    student, teacher = student / temperature, teacher / temperature
    target_kl = softmax_kl(target_and_rest(student), target_and_rest(teacher), dim=1)
    others_kl = softmax_kl(student, teacher, dim=1, mask=others)
    return temperature**2 * mean_over_valid(alpha * target_kl + beta * others_kl, labels >= 0)
