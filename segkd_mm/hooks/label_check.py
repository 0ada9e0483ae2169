"""Hook that checks the labels of each training batch, and the model against the classes."""

import math
from collections.abc import Iterable, Sequence

import cv2
import numpy as np
import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from mmseg.registry import HOOKS
from mmseg.structures import SegDataSample
from torch import nn

from segkd_mm.commands import command
from segkd_mm.hooks.unwrap import unwrapped_model
from segkd_mm.labels import UNLABELLED, VOID
from segkd_mm.one_logit import has_label_logits

IDS = VOID + 1  # of 8 bits


class LabelError(ValueError):
    """Error of labels that do not fit the classes or the model."""


def check_outputs(model: nn.Module, classes: Sequence[str] | None) -> None:
    """Check that a model, or the student of a distiller, has as many classes as its data.

    Args:
        model: The model; one without ``num_classes`` is not compared.
        classes: Names of the classes; None of a data set without such a list.

    Raises:
        LabelError: It has more or fewer; or one logit, from which no labels can be made.
    """
    student = getattr(model, 'student', model)
    if hasattr(student, 'out_channels') and not has_label_logits(student):
        raise LabelError(
            f'{type(student).__name__} gives one logit (out_channels=1), of which mmseg makes '
            'labels only by the threshold, in (0, 1), of a single decode_head. Set that, or '
            'out_channels=2 in all heads, also where decode_head is a list.'
        )
    outputs = getattr(student, 'num_classes', None)
    _check_class_weights(student)
    if classes and outputs not in (None, len(classes)):
        raise LabelError(
            f'{type(student).__name__} has num_classes={outputs}, but the data set has '
            f'{len(classes)} classes: {", ".join(classes)}. Set num_classes={len(classes)} in its '
            'heads, or take the data set (or metainfo.classes) that the model is for.'
        )


def _check_class_weights(student: nn.Module) -> None:
    """Check that the losses of each head have as many class weights as it has classes."""
    heads = {n: m for n, m in student.named_modules() if isinstance(m, BaseDecodeHead)}
    losses = [(name, head, loss) for name, head in heads.items() for loss in _losses_of(head)]
    for name, head, loss in losses:
        weights = getattr(loss, 'class_weight', None)
        if isinstance(weights, list | tuple) and len(weights) != head.num_classes:
            raise LabelError(
                f'{name}.loss_decode: found {len(weights)} numbers in class_weight, expected '
                f'{head.num_classes} as num_classes. Give one for each class, or leave it out.'
            )


def _losses_of(head: BaseDecodeHead) -> Iterable[nn.Module]:
    losses = head.loss_decode
    return losses if isinstance(losses, nn.ModuleList) else [losses]


@HOOKS.register_module()
class LabelCheckHook(Hook):
    """Check the labels of each training batch before the model sees them.

    At the start the model's number of classes is compared with the data set's. When as many samples
    were drawn as the data set has, the log names classes of which no pixel was seen. Where a data
    set has no list of classes, those are the model's, by number.

    Raises:
        LabelError: The model has another number of classes than the data; samples are not packed;
            a label tensor is not int64; no mask has a pixel of a class; or a mask holds an id that
            is no class, and then the image is named.
    """

    priority = 'VERY_HIGH'

    def before_train(self, runner: Runner) -> None:
        dataset = runner.train_dataloader.dataset
        model, names = unwrapped_model(runner), dataset.metainfo.get('classes')
        check_outputs(model, names)
        self.classes = names or _numbered_classes(model)
        allowed = [*range(len(self.classes) or UNLABELLED), VOID]
        # Of images without labels a distiller makes void; another model takes it for a class.
        self.is_distilled = hasattr(model, 'student')
        self.seen = np.zeros(IDS, dtype=bool)
        self.wrong = np.ones(IDS, dtype=bool)
        self.wrong[allowed + [UNLABELLED] * self.is_distilled] = False
        self.has_seen_all = False
        self.iterations = 0
        self.pass_length = math.ceil(len(dataset) / (runner.train_dataloader.batch_size or 1))

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict | None = None
    ) -> None:
        if not isinstance(data_batch, dict) or 'data_samples' not in data_batch:
            raise LabelError(
                'The pipeline of train_dataloader gives samples without data_samples, expected its '
                'last step to be PackSegInputs. Add it.'
            )
        for sample in data_batch['data_samples']:
            self._check(sample)
        self.iterations += 1
        if self.iterations == self.pass_length:
            self._report_unseen(runner)
        passed = self.iterations >= self.pass_length
        self.has_seen_all = passed or self.seen[: len(self.classes)].all()

    def _check(self, sample: SegDataSample) -> None:
        mask = sample.gt_sem_seg.data
        if mask.dtype != torch.int64:
            self._fail(sample, f'labels of {mask.dtype}', 'torch.int64, as PackSegInputs gives')
        ids = mask.numpy()[0]
        low_bits = ids.astype(np.uint8)
        # VOID + 1 is 0 of 8 bits. A third of the time of a histogram, which unlabelled images and
        # the first pass need.
        right = (low_bits + np.uint8(1)).max() <= len(self.classes)
        if not (right and self.has_seen_all):
            found = _present(low_bits)
            self.seen |= found
            right = not (found & self.wrong).any()
        if not right or np.bitwise_or.reduce(ids, axis=None) & ~VOID:
            self._fail_ids(sample, mask.unique().tolist())

    def _fail_ids(self, sample: SegDataSample, ids: list[int]) -> None:
        if UNLABELLED in ids and not self.is_distilled:
            self._fail(
                sample, 'an image without labels', 'labels, as the model has no teacher',
                'Take these images out of the training data, or distil (docs/few_labels.md).',
            )  # fmt: skip
        last = (len(self.classes) or UNLABELLED) - 1
        self._fail(sample, f'the ids {ids}', f'0 to {last} or {VOID} (void)')

    def _fail(
        self,
        sample: SegDataSample,
        found: str,
        expected: str,
        advice: str = 'Correct the mask, the list of classes or the pipeline.',
    ) -> None:
        files = [sample.metainfo.get(key) for key in ('img_path', 'seg_map_path')]
        raise LabelError(
            f'{" and ".join(filter(None, files)) or "A sample"}: found {found}, expected '
            f'{expected}. {advice}'
        )

    def _report_unseen(self, runner: Runner) -> None:
        unseen = [name for i, name in enumerate(self.classes) if not self.seen[i]]
        if unseen and len(unseen) == len(self.classes) and not self.is_distilled:
            raise LabelError(
                f'No pixel of any class in {self.iterations} batches, which is once through the '
                f'training data: found only {VOID} (void), expected the ids of '
                f'{", ".join(unseen)}. Check the masks.'
            )
        if unseen:
            runner.logger.warning(
                f'No pixel of {", ".join(unseen)} in {self.iterations} batches, which is once '
                'through the training data: these classes cannot be learned. Check the masks, or '
                f'remove them from the classes; `{command("doctor")}` shows the share of each.'
            )


def _numbered_classes(model: nn.Module) -> list[str]:
    """Names for the classes of a model; none where it does not say how many it has."""
    count = getattr(getattr(model, 'student', model), 'num_classes', None) or 0
    return [f'class {number}' for number in range(count)]


def _present(mask: np.ndarray) -> np.ndarray:
    """Which values occur in a mask, uint8 [H, W]: bool [256]. In a tenth of bincount's time."""
    return cv2.calcHist([mask], [0], None, [IDS], [0, IDS]).ravel() > 0
