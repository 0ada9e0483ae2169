"""Check of the gradients of the terms relative to that of the labels' loss."""

from collections.abc import Mapping, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from segkd_mm.doctor.experiment import Experiment
from segkd_mm.doctor.finding import Finding, Report

TOO_STRONG, TOO_WEAK = 10.0, 0.01


def check_gradients(experiment: Experiment, batches: int = 2) -> Report:
    """Measure the norm of each term's gradient over that of the student's own losses.

    Gradients are with respect to the outputs of the backbone, or to its parameters for terms that
    tap it before these. They are measured on training batches, with scheduled terms at their
    highest weight.
    """
    report, model = Report('Gradients of the terms'), experiment.model.train()
    measured = [_ratios(model, batch) for batch in experiment.batches('train', batches)]
    for name, term in model.terms.items():
        ratio = sum(ratios[name] for ratios in measured) / len(measured)
        report.rows.append(
            {'term': name, 'weight': term.weight, 'gradient, times that of the labels': ratio}
        )
        report.findings.append(_finding(name, ratio, term.weight, bool(term.schedule)))
    return report


def _ratios(model: nn.Module, batch: dict) -> dict[str, float]:
    data = model.data_preprocessor(batch, True)
    with _outputs_of(model.student.backbone) as features:
        losses = model(**data, mode='loss')
    own = labels_loss(losses)
    weights = [p for p in model.student.backbone.parameters() if p.requires_grad]
    ratios = {}
    for name in model.terms:
        loss = losses[f'terms.{name}.loss']
        shared = features if _norm(loss, features) or not weights else weights
        ratios[name] = _norm(loss, shared) / max(_norm(own, shared), 1e-12)
    return ratios


def labels_loss(losses: Mapping[str, Tensor | Sequence[Tensor]]) -> Tensor:
    """The sum of the student's own losses, without those of terms."""
    return sum(
        sum(loss) if isinstance(loss, Sequence) else loss
        for key, loss in losses.items()
        if 'loss' in key and not key.startswith('terms.')
    )


@contextmanager
def _outputs_of(module: nn.Module):
    """Collect the output tensors of a module inside the block."""
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
    if not loss.requires_grad:
        return 0.0
    gradients = torch.autograd.grad(loss, shared, retain_graph=True, allow_unused=True)
    squares = [one.float().square().sum() for one in gradients if one is not None]
    return torch.stack(squares).sum().sqrt().item() if squares else 0.0


def _finding(name: str, ratio: float, weight: float, scheduled: bool) -> Finding:
    if ratio > TOO_STRONG:
        warm_up = '' if scheduled else ' or a warm-up, schedule=[(0, 0), (0.1, 1)]'
        return Finding(
            'note' if scheduled else 'warning',
            f'The gradient of term {name!r} is {ratio:.0f} times that of the labels.',
            f'Use a lower loss_weight (about {weight / ratio:.2g} makes them equal here){warm_up}; '
            'check a trained student with --student: its gradient of the labels is smaller.',
        )
    if ratio < TOO_WEAK:
        higher = f' (about {weight / ratio:.2g} makes them equal here)' if ratio else ''
        return Finding(
            'warning',
            f'The gradient of term {name!r} is small: {ratio:.2g} times that of the labels.',
            f'Use a higher loss_weight{higher}, or another tap.',
        )
    return Finding('ok', f'The gradient of term {name!r} is {ratio:.2g} times that of the labels.')
