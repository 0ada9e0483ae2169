"""What the terms compare: shapes, strides and adapters."""

import torch
from torch import Tensor

from segkd_mm.distill.taps import Taps
from segkd_mm.distill.term import Term
from segkd_mm.doctor.experiment import Experiment
from segkd_mm.doctor.finding import Finding, Report

COARSE = 4  # times the stride of the other side


def check_taps(experiment: Experiment) -> Report:
    """Taps of each term at the size of the training crops, and the parameters of its adapter."""
    model, report = experiment.model.eval(), Report('Terms')
    height, width = _crop(experiment)
    image = torch.zeros(1, 3, height, width, device=experiment.device)
    taps = Taps(model.student, {term.student for term in model.terms.values()})
    with torch.no_grad(), taps:
        model.student(image, mode='tensor')
    student, teacher = taps.pop(), model.teacher(image)
    for name, term in model.terms.items():
        mine, theirs = student[term.student], term.mixture.target(teacher)
        report.rows.append(
            {
                'term': name,
                'loss': type(term.loss).__name__,
                'weight': term.loss.loss_weight,
                'student': f'{term.student} {_shape(mine, width)}',
                'teacher': f'{", ".join(term.mixture.weights)} {_shape(theirs, width)}',
                'parameters of the term': sum(p.numel() for p in term.parameters()),
            }
        )
        report.findings.extend(_judge(name, width / mine.shape[3], width / theirs.shape[3]))
        report.findings.extend(_judge_classes(name, term, experiment))
        if not term.is_on:
            report.findings.append(
                Finding('warning', f'Term {name!r} has weight 0: it is off.', 'Leave it out.')
            )
    model.train()
    return report


def _crop(experiment: Experiment) -> tuple[int, int]:
    (batch,) = experiment.batches('train', 1)
    return tuple(experiment.model.data_preprocessor(batch, True)['inputs'].shape[2:])


def _shape(x: Tensor, width: int) -> str:
    channels, rows, columns = x.shape[1:]
    return f'[{channels}, {rows}, {columns}], stride {width / columns:.3g}'


def _judge(name: str, student: float, teacher: float) -> list[Finding]:
    if max(student, teacher) < COARSE * min(student, teacher):
        return []
    coarse = 'teacher' if teacher > student else 'student'
    return [
        Finding(
            'note',
            f'Term {name!r}: strides {student:.3g} of the student and {teacher:.3g} of the teacher '
            f'are far apart; they meet at the coarser one, of the {coarse}.',
            f'Tap an earlier layer of the {coarse} for detail.',
        )
    ]


def _judge_classes(name: str, term: Term, experiment: Experiment) -> list[Finding]:
    """A mapping goes by the names that the config gives: they must stand in the data's order."""
    if term.classes is None:
        return []
    own = [given.strip().lower() for given in term.classes.student_classes]
    data = [given.strip().lower() for given in experiment.dataset('train').metainfo['classes']]
    if own == data:
        groups = len(term.classes.groups)
        return [Finding('ok', f'Term {name!r}: {groups} groups of {len(data)} classes are shared.')]
    at = next((i for i, pair in enumerate(zip(own, data, strict=False)) if len(set(pair)) > 1), -1)
    return [
        Finding(
            'error',
            f'Term {name!r}: classes.student is not the list of the training data; they differ '
            f'from class {at} on: {own[at]!r}, in the data {data[at]!r}.',
            'Give the name of the data set, or its classes in their order.',
        )
    ]
