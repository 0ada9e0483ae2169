"""Parity: the differences between the outputs of an exported model and its PyTorch model."""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from mmseg.models.segmentors.base import BaseSegmentor
from torch import Tensor

from segkd_mm.deploy.images import model_input
from segkd_mm.deploy.label_map import upsampled_label_map
from segkd_mm.deploy.runtime import Runtime
from segkd_mm.evaluation import confusion_matrix, mean_iou
from segkd_mm.formats import Bounds
from segkd_mm.one_logit import label_logits


@dataclass(frozen=True)
class Parity:
    """Differences of an exported model from PyTorch, over all images.

    Attributes:
        images: Number of images.
        labels_differ: Share of the pixels whose labels differ.
        max_difference: Largest absolute difference of a logit; None if the model gives labels.
        mean_difference: Mean absolute difference of the logits; likewise.
        largest_logit: Largest absolute logit of PyTorch.
        torch_miou: mIoU of PyTorch on the images in percent; None without masks.
        miou: mIoU of the exported model, likewise.
    """

    images: int
    labels_differ: float
    max_difference: float | None
    mean_difference: float | None
    largest_logit: float
    torch_miou: float | None
    miou: float | None

    def violations(self, bounds: Bounds) -> list[str]:
        """Describe the differences that are outside the bounds; NaN is outside."""
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

    def table_row(self) -> dict:
        """The differences as a row of :mod:`segkd_mm.results.tables`."""
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
    """Run a PyTorch model and its exported model on images and compare the outputs.

    Args:
        model: The PyTorch model, in eval mode, on the CPU.
        runtime: The exported model.
        samples: Samples of the test pipeline: ``inputs``, [C, H, W], and ``data_samples``,
            with ``gt_sem_seg`` if the image has a mask.
    """
    totals = _ParityTotals(max(model.out_channels, 2))  # one logit counts as two
    for sample in samples:
        inputs = model_input(sample, model.data_preprocessor, image_in=False)
        image_in = runtime.metadata['input'] == 'image'
        exported = runtime(model_input(sample, model.data_preprocessor, image_in))
        logits = label_logits(model, model(inputs))
        totals.add(logits, exported, tuple(inputs.shape[2:]), model.align_corners, sample)
    return totals.parity()


class _ParityTotals:
    """Sums of the differences and confusion matrices over images."""

    def __init__(self, classes: int) -> None:
        self.images = self.pixels = self.labels_differ = self.logits = 0
        self.maxima, self.difference, self.largest_logit = [], 0.0, 0.0
        self.confusion = dict.fromkeys(('torch', 'exported'), torch.zeros(classes, classes).long())
        self.has_masks = True

    def add(
        self,
        logits: Tensor,
        exported: Tensor,
        size: tuple[int, int],
        align_corners: bool,
        sample: dict,
    ) -> None:
        """Add an image: PyTorch's logits and the exported model's output, logits or labels."""
        if exported.ndim == 4:
            difference = (exported - logits).abs()
            self.maxima.append(difference.max())
            self.difference += difference.double().sum().item()
            self.logits += difference.numel()
            exported = upsampled_label_map(exported.nan_to_num(), size, align_corners)
        expected = F.interpolate(logits, size, None, 'bilinear', align_corners).argmax(1)
        self.images += 1
        self.pixels += expected.numel()
        self.labels_differ += (exported != expected).sum().item()
        self.largest_logit = max(self.largest_logit, logits.abs().max().item())
        self._add_confusion(expected, exported, sample)

    def _add_confusion(self, expected: Tensor, exported: Tensor, sample: dict) -> None:
        mask = sample['data_samples'].get('gt_sem_seg')
        if mask is None:
            self.has_masks = False
            return
        for name, labels in (('torch', expected), ('exported', exported)):
            labels = _at_size(labels, sample['inputs'].shape[1:], mask.data.shape[1:])
            matrix = confusion_matrix(labels, mask.data[0], len(self.confusion[name]))
            self.confusion[name] = self.confusion[name] + matrix

    def parity(self) -> Parity:
        has_miou = self.has_masks and self.images > 0
        miou = {
            name: mean_iou(matrix.numpy()) if has_miou else None
            for name, matrix in self.confusion.items()
        }
        return Parity(
            images=self.images,
            labels_differ=self.labels_differ / self.pixels,
            max_difference=torch.stack(self.maxima).max().item() if self.maxima else None,
            mean_difference=self.difference / self.logits if self.maxima else None,
            largest_logit=self.largest_logit,
            torch_miou=miou['torch'],
            miou=miou['exported'],
        )


def _at_size(labels: Tensor, inside: tuple[int, int], size: tuple[int, int]) -> Tensor:
    """Labels [H, W] at the size of a mask, of an image [1, h, w] that was resized and padded."""
    labels = labels[:, None, : inside[0], : inside[1]].float()
    return F.interpolate(labels, size, mode='nearest-exact')[0, 0].long()
