"""How well the teacher does beside the student: what it can teach."""

from collections.abc import Iterable, Iterator

import numpy as np
import torch
import torch.nn.functional as F
from mmseg.utils import SampleList
from rich.progress import track
from torch import Tensor, nn

from segkd_mm.distill.term import Term
from segkd_mm.doctor.experiment import Experiment
from segkd_mm.doctor.finding import Finding, Report
from segkd_mm.evaluation import confusion_of_logits, mean_iou
from segkd_mm.labels import UNLABELLED, VOID
from segkd_mm.whole_image.samples import whole_image_of

STUDENT, CONSTANT = 'student', 'the commonest class everywhere'
# A teacher below this multiple of the best constant guess has learned nothing of these classes.
CHANCE = 1.5
# Points of mIoU that a teacher may lose on crops before it is said.
CUT = 10


def check_accuracy(experiment: Experiment, images: int = 20) -> Report:
    """mIoU of student and teacher on ``images`` validation images, and of the teacher on crops.

    The teacher's is of what its terms learn from: its taps at their own stride, in the classes to
    which they are mapped. Crops are training batches: what it is shown in training.
    """
    model, report = experiment.model.eval(), Report('What the teacher can teach')
    whole = experiment.batches('val', images)
    whole = track(whole, 'validation images', images, transient=True)
    matrices = _confusions(experiment, whole, training=False)
    report.rows.extend(_row(name, 'val images', matrix) for name, matrix in matrices.items())
    if experiment.is_distilled:
        size = experiment.config.train_dataloader.batch_size
        crops = experiment.batches('train', max(images // size, 1))
        on_crops = _confusions(experiment, crops, training=True)
        if _teachers(matrices):
            _judge(matrices, report, f'{images} images')
        else:  # it knows the training images alone
            _judge(on_crops, report, 'training crops')
        for name in _teachers(on_crops):
            report.rows.append(_row(name, 'training crops', on_crops[name]))
            if name in matrices:
                whole = mean_iou(matrices[name])
                report.findings.extend(_judge_crops(name, whole, mean_iou(on_crops[name])))
    model.train()
    return report


def _confusions(
    experiment: Experiment, batches: Iterable[dict], training: bool
) -> dict[str, np.ndarray]:
    """Confusion matrices by who predicts, and of the guess that is the same everywhere."""
    sums: dict[str, np.ndarray] = {}
    for batch in batches:
        data = experiment.model.data_preprocessor(batch, training)
        for name, matrix in _of_batch(experiment, data):
            sums[name] = sums.get(name, 0) + matrix
    truth = sums[STUDENT].sum(1)
    constant = np.zeros_like(sums[STUDENT])
    constant[:, truth.argmax()] = truth
    return {**sums, CONSTANT: constant}


@torch.no_grad()
def _of_batch(experiment: Experiment, data: dict) -> Iterator[tuple[str, np.ndarray]]:
    inputs = data['inputs']
    labels = torch.stack([sample.gt_sem_seg.data[0] for sample in data['data_samples']])
    # For testing the preprocessor pads the images alone.
    beyond = [now - own for now, own in zip(inputs.shape[2:], labels.shape[1:], strict=True)]
    labels = F.pad(labels, (0, beyond[1], 0, beyond[0]), value=VOID).to(inputs.device)
    labels = labels.masked_fill(labels == UNLABELLED, VOID)
    logits = experiment.student(inputs, mode='tensor')
    yield STUDENT, _confusion(logits, labels)
    samples = data['data_samples']
    if experiment.is_distilled and _has_what_it_needs(experiment.model.teacher, samples):
        teacher = experiment.model.teacher(inputs, None, samples)
        for name, target, known in _targets(experiment.model, inputs, labels, logits, teacher):
            yield name, _confusion(target, known)


def _has_what_it_needs(teacher: nn.Module, samples: SampleList) -> bool:
    # Records of whole images come with the training images alone.
    needs = {getattr(module, 'needs', None) for module in teacher.modules()} - {None}
    return all(whole_image_of(samples[0], need) for need in needs)


def _targets(
    model: nn.Module,
    inputs: Tensor,
    labels: Tensor,
    student: Tensor,
    outputs: dict[str, Tensor],
) -> Iterator[tuple[str, Tensor, Tensor]]:
    """Of each teacher that is learned from: a name, its logits, and labels in its classes."""
    seen = set()
    for term in model.terms.values():
        source = str(term.mixture)
        target = term.mixture.target(outputs)
        if source not in seen and _is_logits(term, target, student):
            seen.add(source)
            _, target, known = (
                term.classes(student, target, labels) if term.classes else (0, target, labels)
            )
            yield f'teacher, {source}', target, known
    whole = None if seen else _own_logits(model.teacher, inputs)
    if whole is not None and whole.shape[1] == student.shape[1]:
        yield 'teacher, its own logits', whole, labels


def _is_logits(term: Term, target: Tensor, student: Tensor) -> bool:
    return term.classes is not None or target.shape[1] == student.shape[1]


def _own_logits(teacher: nn.Module, inputs: Tensor) -> Tensor | None:
    """What a single teacher predicts, if it does: one that is tapped for features alone."""
    out = teacher.output(inputs) if hasattr(teacher, 'output') else None
    return out if isinstance(out, Tensor) and out.ndim == 4 else None


def _confusion(logits: Tensor, labels: Tensor) -> np.ndarray:
    return confusion_of_logits(logits, labels).numpy()


def _row(name: str, on: str, matrix: np.ndarray) -> dict:
    pixels = max(matrix.sum(), 1)
    accuracy = 100 * float(matrix.trace() / pixels)
    return {'who': name, 'on': on, 'mIoU': mean_iou(matrix), 'pixel accuracy': accuracy}


def _teachers(matrices: Iterable[str]) -> list[str]:
    return [name for name in matrices if name not in (STUDENT, CONSTANT)]


def _judge_crops(name: str, whole: float, crops: float) -> list[Finding]:
    if whole - crops < CUT:
        return []
    return [
        Finding(
            'note',
            f'{name}: {crops:.1f} mIoU on the training crops, {whole:.1f} on whole images. What it '
            'teaches is what it sees of a crop.',
            'Larger crops, or less enlargement (ratio_range), show it more.',
        )
    ]


def _judge(matrices: dict[str, np.ndarray], report: Report, on: str) -> None:
    student, chance = mean_iou(matrices[STUDENT]), mean_iou(matrices[CONSTANT])
    teachers = _teachers(matrices)
    if not teachers:
        report.findings.append(
            Finding('note', "The teacher gives no logits of the student's classes: its mIoU could "
                    'not be measured.')
        )  # fmt: skip
    for name in teachers:
        value = mean_iou(matrices[name])
        if not value >= CHANCE * chance:  # NaN, too
            report.findings.append(
                Finding(
                    'error',
                    f'{name}: {value:.1f} mIoU, hardly more than guessing one class everywhere '
                    f'({chance:.1f}).',
                    'Check its checkpoint, its class list and order (classes= in the term), and '
                    'its normalisation and channel order.',
                )
            )
        elif value <= student:
            report.findings.append(
                Finding(
                    'warning',
                    f'{name}: {value:.1f} mIoU, no better than the student ({student:.1f}).',
                    'A teacher teaches what it does better: train it longer or take another.',
                )
            )
        else:
            report.findings.append(
                Finding('ok', f'{name}: {value:.1f} mIoU on {on}, the student '
                        f'{student:.1f}.')
            )  # fmt: skip
