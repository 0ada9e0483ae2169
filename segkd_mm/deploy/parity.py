"""Parity: how far an exported model is from its PyTorch model, on images."""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from mmseg.models.segmentors.base import BaseSegmentor
from torch import Tensor

from segkd_mm.deploy.images import input_of
from segkd_mm.deploy.label_map import upsampled_label_map
from segkd_mm.deploy.runtime import Runtime
from segkd_mm.evaluation import confusion_matrix, mean_iou


@dataclass(frozen=True)
class Bounds:
    """How far an exported model may be from PyTorch; None is not looked at.

    Attributes:
        labels: Share of the pixels whose labels differ.
        logits: Largest difference of a logit, relative to the largest logit.
        drop: Points of mIoU, in percent.
    """

    labels: float | None = None
    logits: float | None = None
    drop: float | None = None

    def __str__(self) -> str:
        parts = []
        if self.labels is not None:
            parts.append(f'at most {100 * self.labels:g} % of the labels differ')
        if self.logits is not None:
            parts.append(f'no logit by more than {self.logits:g} of the largest')
        if self.drop is not None:
            parts.append(f'mIoU at most {self.drop:g} points lower')
        return ', '.join(parts)


BOUNDS = {
    'fp32': Bounds(labels=1e-4, logits=1e-3),
    'bf16': Bounds(labels=5e-3),
    'int8': Bounds(drop=1.0),
}
INT8_WITHOUT_TRUTH = Bounds(labels=0.05)


@dataclass(frozen=True)
class Parity:
    """How far an exported model is from PyTorch, over all images.

    Attributes:
        images: How many there were.
        labels_differ: Share of the pixels.
        max_difference: Of logits, without its sign; None where the exported model gives labels.
        mean_difference: Likewise.
        largest_logit: Of PyTorch's, without its sign.
        torch_miou: On the images, in percent; None without truth.
        miou: The exported model's.
    """

    images: int
    labels_differ: float
    max_difference: float | None
    mean_difference: float | None
    largest_logit: float
    torch_miou: float | None
    miou: float | None

    def broken(self, bounds: Bounds) -> list[str]:
        """What lies outside the bounds, in words. NaN does."""
        found = []
        if bounds.labels is not None and not self.labels_differ <= bounds.labels:
            found.append(f'{100 * self.labels_differ:.3g} % of the labels differ')
        if None not in (bounds.logits, self.max_difference):
            relative = self.max_difference / self.largest_logit
            if not relative <= bounds.logits:
                found.append(f'a logit differs by {relative:.2g} of the largest')
        if None not in (bounds.drop, self.miou) and not self.torch_miou - self.miou <= bounds.drop:
            found.append(f'mIoU falls from {self.torch_miou:.2f} to {self.miou:.2f}')
        return found

    def row(self) -> dict:
        """As a row of a table for people."""
        return {
            'images': self.images,
            'labels differ %': f'{100 * self.labels_differ:.4f}',
            'max |logit diff|': self.max_difference and f'{self.max_difference:.2g}',
            'mean': self.mean_difference and f'{self.mean_difference:.2g}',
            'largest logit': self.largest_logit,
            'mIoU PyTorch': self.torch_miou,
            'mIoU exported': self.miou,
        }


@torch.no_grad()
def measure_parity(model: BaseSegmentor, runtime: Runtime, samples: Iterable[dict]) -> Parity:
    """Run both on each image.

    Args:
        model: In eval mode, on the CPU.
        runtime: The exported model.
        samples: As the test pipeline gives them: ``inputs``, uint8 [3, H, W], and ``data_samples``,
            with ``gt_sem_seg`` where there is truth.
    """
    sums = _Sums(model.out_channels)
    for sample in samples:
        inputs = input_of(sample, model.data_preprocessor, image_in=False)
        image_in = runtime.metadata['input'] == 'image'
        found = runtime(input_of(sample, model.data_preprocessor, image_in))
        sums.add(model(inputs), found, tuple(inputs.shape[2:]), model.align_corners, sample)
    return sums.parity()


class _Sums:
    """What the images add up to."""

    def __init__(self, classes: int) -> None:
        self.images = self.pixels = self.differ = self.numbers = 0
        self.worst, self.total, self.largest = [], 0.0, 0.0
        self.confusion = dict.fromkeys(('torch', 'exported'), torch.zeros(classes, classes).long())
        self.has_truth = True

    def add(
        self,
        logits: Tensor,
        found: Tensor,
        size: tuple[int, int],
        align_corners: bool,
        sample: dict,
    ) -> None:
        """One image: PyTorch's logits and what the exported model found, logits or labels."""
        if found.ndim == 4:
            difference = (found - logits).abs()
            self.worst.append(difference.max())
            self.total += difference.double().sum().item()
            self.numbers += difference.numel()
            found = upsampled_label_map(found.nan_to_num(), size, align_corners)
        expected = F.interpolate(logits, size, None, 'bilinear', align_corners).argmax(1)
        self.images += 1
        self.pixels += expected.numel()
        self.differ += (found != expected).sum().item()
        self.largest = max(self.largest, logits.abs().max().item())
        self._score(expected, found, sample['data_samples'].get('gt_sem_seg'))

    def _score(self, expected: Tensor, found: Tensor, truth: object) -> None:
        if truth is None or truth.data.shape[1:] != expected.shape[1:]:
            self.has_truth = False
            return
        for name, labels in (('torch', expected), ('exported', found)):
            matrix = confusion_matrix(labels[0], truth.data[0], len(self.confusion[name]))
            self.confusion[name] = self.confusion[name] + matrix

    def parity(self) -> Parity:
        scored = self.has_truth and self.images > 0
        miou = {
            name: mean_iou(matrix.numpy()) if scored else None
            for name, matrix in self.confusion.items()
        }
        return Parity(
            images=self.images,
            labels_differ=self.differ / self.pixels,
            max_difference=torch.stack(self.worst).max().item() if self.worst else None,
            mean_difference=self.total / self.numbers if self.worst else None,
            largest_logit=self.largest,
            torch_miou=miou['torch'],
            miou=miou['exported'],
        )
