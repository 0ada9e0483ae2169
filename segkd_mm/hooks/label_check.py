"""Hook that checks the labels of each training batch, and the model against the classes."""

import math
from collections.abc import Sequence

import cv2
import numpy as np
import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmseg.registry import HOOKS
from mmseg.structures import SegDataSample
from torch import nn

from segkd_mm.commands import command
from segkd_mm.hooks.unwrap import unwrapped_model
from segkd_mm.labels import UNLABELLED, VOID

IDS = VOID + 1  # of 8 bits


class LabelError(ValueError):
    """Error of labels that do not fit the classes or the model."""


def check_outputs(model: nn.Module, classes: Sequence[str]) -> None:
    """Check that a model, or the student of a distiller, has as many classes as its data.

    Raises:
        LabelError: It has more or fewer.
    """
    student = getattr(model, 'student', model)
    outputs = getattr(student, 'num_classes', None)
    if outputs not in (None, len(classes)):
        raise LabelError(
            f'{type(student).__name__} has num_classes={outputs}, but the data set has '
            f'{len(classes)} classes: {", ".join(classes)}. Set num_classes={len(classes)} in its '
            'heads, or take the data set (or metainfo.classes) that the model is for.'
        )


@HOOKS.register_module()
class LabelCheckHook(Hook):
    """Check the labels of each training batch before the model sees them.

    At the start the model's number of classes is compared with the data set's. When as many samples
    were drawn as the data set has, the log names classes of which no pixel was seen.

    Raises:
        LabelError: The model has another number of classes than the data; a label tensor is not
            int64; or a mask holds an id that is no class. The last two name the image.
    """

    priority = 'VERY_HIGH'

    def before_train(self, runner: Runner) -> None:
        dataset = runner.train_dataloader.dataset
        self.classes = dataset.metainfo['classes']
        check_outputs(unwrapped_model(runner), self.classes)
        self.seen = np.zeros(IDS, dtype=bool)
        self.wrong = np.ones(IDS, dtype=bool)
        self.wrong[[*range(len(self.classes)), UNLABELLED, VOID]] = False
        self.iterations = 0
        self.pass_length = math.ceil(len(dataset) / (runner.train_dataloader.batch_size or 1))

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict | None = None
    ) -> None:
        for sample in data_batch['data_samples']:
            self.seen |= self._ids(sample)
        self.iterations += 1
        if self.iterations == self.pass_length:
            self._report_unseen(runner)

    def _ids(self, sample: SegDataSample) -> np.ndarray:
        """Which ids are in the mask of a sample, bool [256]."""
        mask = sample.gt_sem_seg.data
        if mask.dtype != torch.int64:
            self._fail(sample, f'labels of {mask.dtype}', 'torch.int64, as PackSegInputs gives')
        low, high = mask.aminmax()
        found = _present(mask.numpy()[0].astype(np.uint8))
        if low < 0 or high > VOID or (found & self.wrong).any():
            ids = mask.unique().tolist()
            self._fail(sample, f'the ids {ids}', f'0 to {len(self.classes) - 1} or {VOID} (void)')
        return found

    def _fail(self, sample: SegDataSample, found: str, expected: str) -> None:
        files = [sample.metainfo.get(key) for key in ('img_path', 'seg_map_path')]
        raise LabelError(
            f'{" and ".join(filter(None, files)) or "A sample"}: found {found}, expected '
            f'{expected}. Correct the mask, the list of classes or the pipeline.'
        )

    def _report_unseen(self, runner: Runner) -> None:
        unseen = [name for i, name in enumerate(self.classes) if not self.seen[i]]
        if unseen:
            runner.logger.warning(
                f'No pixel of {", ".join(unseen)} in {self.iterations} batches, which is once '
                'through the training data: these classes cannot be learned. Check the masks, or '
                f'remove them from the classes; `{command("doctor")}` shows the share of each.'
            )


def _present(mask: np.ndarray) -> np.ndarray:
    """Which values occur in a mask, uint8 [H, W]: bool [256]. In a tenth of bincount's time."""
    return cv2.calcHist([mask], [0], None, [IDS], [0, IDS]).ravel() > 0
