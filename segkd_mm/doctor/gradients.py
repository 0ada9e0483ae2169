"""Whether the terms pull about as hard as the labels do."""

from collections.abc import Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from segkd_mm.doctor.experiment import Experiment
from segkd_mm.doctor.finding import Finding, Report

TOO_STRONG, TOO_WEAK = 10.0, 0.01


def check_gradients(experiment: Experiment, batches: int = 2) -> Report:
    """The norm of each term's gradient over that of the student's own losses.

    Gradients are of the backbone's outputs, which both share; for terms that tap it before those,
    of its parameters. On training batches at the weights given, each schedule at its highest.
    """
    report, model = Report("Pull of the terms beside the labels'"), experiment.model.train()
    found = [_ratios(model, batch) for batch in experiment.batches('train', batches)]
    for name, term in model.terms.items():
        ratio = sum(ratios[name] for ratios in found) / len(found)
        report.rows.append(
            {'term': name, 'weight': term.weight, 'gradient, times that of the labels': ratio}
        )
        report.findings.append(_judge(name, ratio, term.weight, bool(term.schedule)))
    return report


def _ratios(model: nn.Module, batch: dict) -> dict[str, float]:
    data = model.data_preprocessor(batch, True)
    with _outputs_of(model.student.backbone) as features:
        losses = model(**data, mode='loss')
    own = sum(
        sum(loss) if isinstance(loss, Sequence) else loss
        for key, loss in losses.items()
        if 'loss' in key and not key.startswith('terms.')
    )
    weights = [p for p in model.student.backbone.parameters() if p.requires_grad]
    ratios = {}
    for name in model.terms:
        loss = losses[f'terms.{name}.loss']
        shared = features if _norm(loss, features) or not weights else weights
        ratios[name] = _norm(loss, shared) / max(_norm(own, shared), 1e-12)
    return ratios


@contextmanager
def _outputs_of(module: nn.Module):
    """The tensors that a module puts out while the block runs."""
    kept: list[Tensor] = []

    def keep(_module: nn.Module, _inputs: tuple, output: object) -> None:
        parts = output.values() if isinstance(output, dict) else output
        kept[:] = [output] if isinstance(output, Tensor) else list(parts)

    handle = module.register_forward_hook(keep)
    try:
        yield kept
    finally:
        handle.remove()


def _norm(loss: Tensor, shared: Sequence[Tensor]) -> float:
    if not loss.requires_grad:
        return 0.0
    slopes = torch.autograd.grad(loss, shared, retain_graph=True, allow_unused=True)
    squares = [slope.float().square().sum() for slope in slopes if slope is not None]
    return torch.stack(squares).sum().sqrt().item() if squares else 0.0


def _judge(name: str, ratio: float, weight: float, scheduled: bool) -> Finding:
    if ratio > TOO_STRONG:
        early = '' if scheduled else ' or a warm-up, schedule=[(0, 0), (0.1, 1)]'
        return Finding(
            'note' if scheduled else 'warning',
            f'Term {name!r} pulls {ratio:.0f} times as hard as the labels.',
            f'A lower loss_weight (about {weight / ratio:.2g} makes them equal here){early}; look '
            'again with --student at a trained student, where the labels pull less.',
        )
    if ratio < TOO_WEAK:
        higher = f' (about {weight / ratio:.2g} makes them equal here)' if ratio else ''
        return Finding(
            'warning',
            f'Term {name!r} hardly pulls: {ratio:.2g} times the gradient of the labels.',
            f'A higher loss_weight{higher}, or another tap.',
        )
    return Finding('ok', f'Term {name!r} pulls {ratio:.2g} times as hard as the labels.')
