"""A data set whose samples bring the whole photos that they are crops of."""

from collections.abc import Callable

import numpy as np
import torch
from mmcv.transforms import BaseTransform, LoadImageFromFile
from mmengine.dataset import RepeatDataset
from mmseg.registry import DATASETS
from torch import Tensor

from segkd_mm.datasets.following import follow
from segkd_mm.datasets.whole_photos import leaves

KEPT = 'whole_photo'


@DATASETS.register_module()
class WithWholePhoto(RepeatDataset):
    """A data set for a ``WholePhotoTeacher``: each sample has its whole photo along.

    The pipelines stay as they are, with all their random augmentation; a sample has in addition
    ``whole_photo``, uint8 [3, H, W], as it was loaded, and where it lies in that
    (:func:`segkd_mm.datasets.following.follow`). The photo is decoded once.

    Args:
        dataset: Config of the data set, also of one that wraps others.

    Raises:
        TypeError: A pipeline moves pixels in a way that is not known, or does not load its photos
            by ``LoadImageFromFile``.
    """

    def __init__(self, dataset: dict) -> None:
        super().__init__(dataset, times=1)
        follow(self.dataset, _photo)
        for leaf in leaves(self.dataset):
            leaf.pipeline.transforms = _with_photo_kept(leaf.pipeline.transforms)


def _photo(results: dict) -> dict[str, Tensor]:
    return {KEPT: results[KEPT]}


def _with_photo_kept(transforms: list[Callable]) -> list[Callable]:
    kept = [_Keep(t) if type(t.inner) is LoadImageFromFile else t for t in transforms]
    if not any(isinstance(transform, _Keep) for transform in kept):
        raise TypeError(
            f'The pipeline {[type(t.inner).__name__ for t in transforms]} has no LoadImageFromFile '
            'whose photo could be kept for the teacher.'
        )
    return kept


class _Keep(BaseTransform):
    def __init__(self, load: Callable[[dict], dict]) -> None:
        self.load = load

    def transform(self, results: dict) -> dict:
        results = self.load(results)
        # A copy, for transforms may change the image in place.
        photo = np.ascontiguousarray(results['img'].transpose(2, 0, 1))
        return {**results, KEPT: torch.from_numpy(photo)}
