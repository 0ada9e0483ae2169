"""Check of the gradients of the terms relative to that of the labels' loss."""

from torch import nn

from segkd_mm.doctor.experiment import Experiment
from segkd_mm.doctor.finding import Finding, Report
from segkd_mm.gradient_ratios import gradient_ratios, outputs_of, trunk_of

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
    with outputs_of(trunk_of(model.student)) as features:
        losses = model(**data, mode='loss')
    return gradient_ratios(model, losses, features)


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
