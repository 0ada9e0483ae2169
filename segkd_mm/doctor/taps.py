"""Check of the taps of the terms: shapes, strides, adapters and classes."""

from itertools import zip_longest

import torch
from torch import Tensor

from segkd_mm.distill.taps import Taps
from segkd_mm.distill.term import Term
from segkd_mm.doctor.experiment import Experiment
from segkd_mm.doctor.finding import Finding, Report
from segkd_mm.normalisation import channels_of

COARSE = 4  # ratio of strides above which a note is given


def check_taps(experiment: Experiment) -> Report:
    """Report the tap shapes of each term for training crops, and its number of parameters."""
    model, report = experiment.model.eval(), Report('Terms')
    height, width = _crop_size(experiment)
    image = torch.zeros(1, channels_of(model.student), height, width, device=experiment.device)
    taps = Taps(model.student, {term.student for term in model.terms.values()})
    with torch.no_grad(), taps:
        model.student(image, mode='tensor')
    student, teacher = taps.pop(), model.teacher(image)
    for name, term in model.terms.items():
        tap, target = student[term.student], term.mixture.target(teacher)
        report.rows.append(
            {
                'term': name,
                'loss': type(term.loss).__name__,
                'weight': term.loss.loss_weight,
                'student': f'{term.student} {_shape(tap, width)}',
                'teacher': f'{", ".join(term.mixture.weights)} {_shape(target, width)}',
                'parameters of the term': sum(p.numel() for p in term.parameters()),
            }
        )
        report.findings.extend(
            _stride_findings(name, width / tap.shape[3], width / target.shape[3])
        )
        report.findings.extend(_class_findings(name, term, experiment))
        if not term.is_on:
            report.findings.append(
                Finding('warning', f'Term {name!r} has weight 0: it is off.', 'Leave it out.')
            )
    model.train()
    return report


def _crop_size(experiment: Experiment) -> tuple[int, int]:
    (batch,) = experiment.batches('train', 1)
    return tuple(experiment.model.data_preprocessor(batch, True)['inputs'].shape[2:])


def _shape(x: Tensor, width: int) -> str:
    channels, rows, columns = x.shape[1:]
    return f'[{channels}, {rows}, {columns}], stride {width / columns:.3g}'


def _stride_findings(name: str, student: float, teacher: float) -> list[Finding]:
    if max(student, teacher) < COARSE * min(student, teacher):
        return []
    coarse = 'teacher' if teacher > student else 'student'
    return [
        Finding(
            'note',
            f'Term {name!r}: strides {student:.3g} of the student and {teacher:.3g} of the teacher '
            f'differ much; they are compared at the coarser one, that of the {coarse}.',
            f'Tap an earlier layer of the {coarse} for finer detail.',
        )
    ]


def _class_findings(name: str, term: Term, experiment: Experiment) -> list[Finding]:
    """Check that the student classes of a term's class mapping are those of the data, in order."""
    if term.classes is None:
        return []
    own = [name.strip().lower() for name in term.classes.student_classes]
    data = [name.strip().lower() for name in experiment.dataset('train').metainfo['classes']]
    if own == data:
        groups = len(term.classes.groups)
        return [Finding('ok', f'Term {name!r}: {groups} groups of {len(data)} classes are shared.')]
    at, (ours, theirs) = next(
        (i, pair) for i, pair in enumerate(zip_longest(own, data)) if pair[0] != pair[1]
    )
    return [
        Finding(
            'error',
            f'Term {name!r}: classes.student is not the list of the training data; they differ '
            f'from class {at} on: {ours!r}, in the data {theirs!r}.',
            'Give the name of the data set, or its classes in order.',
        )
    ]
