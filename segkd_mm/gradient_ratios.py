"""Gradients of the terms relative to that of the labels' loss."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

Losses = Mapping[str, Tensor | Sequence[Tensor]]


def gradient_ratios(
    model: nn.Module, losses: Losses, features: Sequence[Tensor]
) -> dict[str, float]:
    """The norm of each term's gradient over that of the student's own losses, by term.

    Gradients are with respect to ``features``, or to the parameters of :func:`trunk_of` the student
    for terms that tap it before these. A term that is off has 0. The graph stays, and no ``.grad``
    is written.

    Args:
        model: A :class:`segkd_mm.distill.SegDistiller`.
        losses: What it returned in the mode ``loss``, with the graph.
        features: The outputs of the student's trunk in it, see :func:`outputs_of`.
    """
    own = labels_loss(losses)
    weights = [p for p in trunk_of(model.student).parameters() if p.requires_grad]
    norms_of_own: dict[bool, float] = {}
    ratios = {}
    for name, term in model.terms.items():
        loss = losses[f'terms.{name}.loss'] if term.is_on else own.new_zeros(())
        norm, is_late = _norm(loss, features), True
        if not norm and weights and term.is_on:
            norm, is_late = _norm(loss, weights), False
        if is_late not in norms_of_own:
            norms_of_own[is_late] = _norm(own, features if is_late else weights)
        ratios[name] = norm / max(norms_of_own[is_late], 1e-12)
    return ratios


def trunk_of(student: nn.Module) -> nn.Module:
    """The backbone of a student; the whole of one without, as models of other libraries are."""
    return getattr(student, 'backbone', student)


def labels_loss(losses: Losses) -> Tensor:
    """The sum of the student's own losses, without those of terms."""
    return sum(
        sum(loss) if isinstance(loss, Sequence) else loss
        for key, loss in losses.items()
        if 'loss' in key and not key.startswith('terms.')
    )


@contextmanager
def outputs_of(module: nn.Module) -> Iterator[list[Tensor]]:
    """Collect the output tensors of a module's last forward inside the block."""
    outputs: list[Tensor] = []

    def record(_module: nn.Module, _inputs: tuple, output: object) -> None:
        parts = output.values() if isinstance(output, dict) else output
        outputs[:] = [output] if isinstance(output, Tensor) else list(parts)

    handle = module.register_forward_hook(record)
    try:
        yield outputs
    finally:
        handle.remove()


def _norm(loss: Tensor, shared: Sequence[Tensor]) -> float:
    if not loss.requires_grad or not shared:
        return 0.0
    gradients = torch.autograd.grad(loss, shared, retain_graph=True, allow_unused=True)
    squares = [one.float().square().sum() for one in gradients if one is not None]
    return torch.stack(squares).sum().sqrt().item() if squares else 0.0
