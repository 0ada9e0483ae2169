"""Check of the teacher's accuracy in comparison with the student's."""

from collections.abc import Iterable, Iterator

import numpy as np
import torch
import torch.nn.functional as F
from mmseg.structures import SegDataSample
from mmseg.utils import SampleList
from rich.progress import track
from torch import Tensor, nn

from segkd_mm.distill.term import Term
from segkd_mm.doctor.experiment import Experiment
from segkd_mm.doctor.finding import Finding, Report
from segkd_mm.evaluation import confusion_of_logits, mean_iou
from segkd_mm.labels import UNLABELLED, VOID
from segkd_mm.one_logit import label_logits, two_class_logits
from segkd_mm.whole_image.samples import whole_image_of

STUDENT, CONSTANT = 'student', 'the commonest class everywhere'
# A teacher below this multiple of the mIoU of a constant prediction does not know the classes.
CHANCE = 1.5
# Points of mIoU that a teacher may lose on crops without a note.
CROP_LOSS = 10


def accuracy_title(experiment: Experiment) -> str:
    """The title of this check: a plain training has no teacher."""
    return f'Accuracy of the {"teacher" if experiment.is_distilled else "initial weights"}'


def check_accuracy(experiment: Experiment, images: int = 20) -> Report:
    """Measure the mIoU of student and teacher on validation images, and of the teacher on crops.

    The teacher's mIoU is that of the logits that terms use: its taps at their own stride, in the
    mapped classes. The crops are training batches, as the teacher sees them in training.
    """
    model, report = experiment.model.eval(), Report(accuracy_title(experiment))
    batches = experiment.batches('val', images)
    batches = track(batches, 'validation images', images, transient=True)
    matrices = _confusions(experiment, batches, training=False)
    report.rows.extend(_row(name, 'val images', matrix) for name, matrix in matrices.items())
    if experiment.is_distilled:
        size = experiment.config.train_dataloader.batch_size
        crops = experiment.batches('train', max(images // size, 1))
        on_crops = _confusions(experiment, crops, training=True)
        if _teachers(matrices):
            _compare(matrices, report, f'{images} images')
        else:  # its logits exist only for training images
            _compare(on_crops, report, 'training crops')
        for name in _teachers(on_crops):
            report.rows.append(_row(name, 'training crops', on_crops[name]))
            if name in matrices:
                mious = mean_iou(matrices[name]), mean_iou(on_crops[name])
                report.findings.extend(_compare_crops(name, *mious))
    model.train()
    return report


def _confusions(
    experiment: Experiment, batches: Iterable[dict], training: bool
) -> dict[str, np.ndarray]:
    """Confusion matrices by model, and of the best constant prediction."""
    sums: dict[str, np.ndarray] = {}
    for batch in batches:
        data = experiment.model.data_preprocessor(batch, training)
        for name, matrix in _batch_confusions(experiment, data):
            sums[name] = sums.get(name, 0) + matrix
    truth = sums[STUDENT].sum(1)
    constant = np.zeros_like(sums[STUDENT])
    constant[:, truth.argmax()] = truth
    return {**sums, CONSTANT: constant}


@torch.no_grad()
def _batch_confusions(experiment: Experiment, data: dict) -> Iterator[tuple[str, np.ndarray]]:
    inputs = data['inputs']
    labels = [_labels_at(sample, inputs.shape[2:]) for sample in data['data_samples']]
    labels = torch.stack(labels).to(inputs.device)
    labels = labels.masked_fill(labels == UNLABELLED, VOID)
    logits = label_logits(experiment.student, experiment.student(inputs, mode='tensor'))
    yield STUDENT, _confusion(logits, labels)
    samples = data['data_samples']
    if experiment.is_distilled and _has_required_records(experiment.model.teacher, samples):
        teacher = experiment.model.teacher(inputs, None, samples)
        for name, target, truth in _targets(experiment.model, inputs, labels, logits, teacher):
            yield name, _confusion(target, truth)


def _labels_at(sample: SegDataSample, size: tuple[int, int]) -> Tensor:
    """The labels [H, W] of the inputs: in testing images alone are resized and padded."""
    labels, (width, height) = sample.gt_sem_seg.data, sample.get('scale_factor', (1, 1))
    # Loaded after the image was resized, as testing does it; crops of training fit already.
    if labels.shape[1:] != size and labels.shape[1:] == tuple(sample.ori_shape):
        resized = round(height * labels.shape[1]), round(width * labels.shape[2])
        labels = F.interpolate(labels[None].float(), resized, mode='nearest-exact')[0]
    bottom, right = (a - b for a, b in zip(size, labels.shape[1:], strict=True))
    return F.pad(labels[0].long(), (0, right, 0, bottom), value=VOID)


def _has_required_records(teacher: nn.Module, samples: SampleList) -> bool:
    # Only training images have records of whole images.
    needs = {getattr(module, 'needs', None) for module in teacher.modules()} - {None}
    return all(whole_image_of(samples[0], need) for need in needs)


def _targets(
    model: nn.Module,
    inputs: Tensor,
    labels: Tensor,
    student: Tensor,
    outputs: dict[str, Tensor],
) -> Iterator[tuple[str, Tensor, Tensor]]:
    """Name, logits and labels (in the classes of the logits) of each teacher that terms use."""
    seen = set()
    for term in model.terms.values():
        source = str(term.mixture)
        target = term.target(outputs)
        if source not in seen and _is_logits(term, target, student):
            seen.add(source)
            _, target, truth = (
                term.classes(student, target, labels) if term.classes else (0, target, labels)
            )
            yield f'teacher, {source}', target, truth
    own_logits = None if seen else _own_logits(model.teacher, inputs)
    if own_logits is not None and own_logits.shape[1] == student.shape[1]:
        yield 'teacher, its own logits', own_logits, labels


def _is_logits(term: Term, target: Tensor, student: Tensor) -> bool:
    return term.classes is not None or target.shape[1] == student.shape[1]


def _own_logits(teacher: nn.Module, inputs: Tensor) -> Tensor | None:
    """Logits of a single teacher of which terms use only features; None if it has none."""
    output = teacher.output(inputs) if hasattr(teacher, 'output') else None
    is_map = isinstance(output, Tensor) and output.ndim == 4
    return two_class_logits(output) if is_map else None


def _confusion(logits: Tensor, labels: Tensor) -> np.ndarray:
    return confusion_of_logits(logits, labels).numpy()


def _row(name: str, on: str, matrix: np.ndarray) -> dict:
    pixels = max(matrix.sum(), 1)
    accuracy = 100 * float(matrix.trace() / pixels)
    return {'who': name, 'on': on, 'mIoU': mean_iou(matrix), 'pixel accuracy': accuracy}


def _teachers(matrices: Iterable[str]) -> list[str]:
    return [name for name in matrices if name not in (STUDENT, CONSTANT)]


def _compare_crops(name: str, whole_images: float, crops: float) -> list[Finding]:
    if whole_images - crops < CROP_LOSS:
        return []
    return [
        Finding(
            'note',
            f'{name}: {crops:.1f} mIoU on the training crops, {whole_images:.1f} on whole images. '
            'The student learns from its predictions on crops.',
            'Use larger crops, less enlargement (ratio_range), or a teacher of whole images.',
        )
    ]


def _compare(matrices: dict[str, np.ndarray], report: Report, on: str) -> None:
    student, chance = mean_iou(matrices[STUDENT]), mean_iou(matrices[CONSTANT])
    teachers = _teachers(matrices)
    if not teachers:
        report.findings.append(
            Finding('note', "The teacher gives no logits of the student's classes: its mIoU could "
                    'not be measured.')
        )  # fmt: skip
    report.findings.extend(
        _judge(name, mean_iou(matrices[name]), student, chance, on) for name in teachers
    )


def _judge(name: str, teacher: float, student: float, chance: float, on: str) -> Finding:
    """What the mIoU of a teacher says beside those of the student and of a constant prediction."""
    if not teacher >= CHANCE * chance:  # NaN, too
        return Finding(
            'error',
            f'{name}: {teacher:.1f} mIoU, hardly more than predicting one class everywhere '
            f'({chance:.1f}).',
            'Check its checkpoint, its class list and order (classes= in the term), and its '
            'normalisation and channel order.',
        )
    if teacher <= student:
        return Finding(
            'warning',
            f'{name}: {teacher:.1f} mIoU, no better than the student ({student:.1f}).',
            'Train the teacher longer or use another one that is better than the student.',
        )
    return Finding('ok', f'{name}: {teacher:.1f} mIoU on {on}, the student {student:.1f}.')
