"""Check of the labels' gradient in batches of which only a part has labels."""

from itertools import compress

import torch
from torch import Tensor, nn

from segkd_mm.doctor.experiment import Experiment, with_void
from segkd_mm.doctor.finding import Finding, Report
from segkd_mm.gradient_ratios import labels_loss
from segkd_mm.labels import UNLABELLED


def check_labels(experiment: Experiment) -> Report:
    """Compare the labels' gradient in a batch with that of its labelled images alone.

    It is the norm over the student's parameters, on the first training batch. Batch norms use their
    running statistics and dropout is off, so that the ratio is 1 exactly where the loss is a mean
    over labelled pixels, and the share of labelled images where it is one over all pixels.
    """
    report = Report('Gradient of the labels')
    batch = next(experiment.batches('train', 1))
    has_labels = [bool((s.gt_sem_seg.data < UNLABELLED).any()) for s in batch['data_samples']]
    share = sum(has_labels) / len(has_labels)
    ratio = _ratio(experiment, batch, has_labels) if 0 < share < 1 else 1.0
    report.rows.append(
        {'labelled images, %': 100 * share, 'gradient, times that of these images alone': ratio}
    )
    report.findings.append(_finding(sum(has_labels), len(has_labels), ratio))
    return report


def _ratio(experiment: Experiment, batch: dict, has_labels: list[bool]) -> float:
    student = experiment.student.train()
    for module in student.modules():
        # Norms and dropout have no children; heads with other outputs in training do.
        module.training = any(True for _ in module.children())
    labelled = {key: [*compress(values, has_labels)] for key, values in batch.items()}
    whole, alone = (_gradient(student, experiment.model, part) for part in (batch, labelled))
    student.train()
    return (whole / alone.clamp(min=1e-12)).item()


def _gradient(student: nn.Module, model: nn.Module, batch: dict) -> Tensor:
    """Norm of the gradient of the student's own losses."""
    losses = student.loss(**model.data_preprocessor(with_void(batch), True))
    weights = [p for p in student.parameters() if p.requires_grad]
    gradients = torch.autograd.grad(labels_loss(losses), weights, allow_unused=True)
    return torch.stack([g.float().norm() for g in gradients if g is not None]).norm()


def _finding(labelled: int, size: int, ratio: float) -> Finding:
    if not labelled:
        return Finding(
            'warning',
            f'None of the {size} images of the first batch has labels.',
            'Give each batch a number of labelled images by a FewLabelsEpochSampler or '
            'FewLabelsInfiniteSampler: docs/few_labels.md.',
        )
    found = (
        f"Of {size} images in a batch {labelled} have labels; the labels' gradient is {ratio:.2g} "
        'times that of these images alone.'
    )
    if ratio < (1 + labelled / size) / 2:
        return Finding(
            'warning',
            f'{found} The loss is a mean over all pixels, so that images without labels make it '
            'smaller.',
            "Write loss_decode=dict(type='LabelledCrossEntropyLoss') in the student's heads, or "
            "avg_non_ignore=True in mmseg's CrossEntropyLoss without class weights.",
        )
    return Finding('ok', found)
