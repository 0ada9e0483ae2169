"""Data set wrappers which give each sample a record of its whole image."""

import os
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from mmcv.transforms import BaseTransform
from mmengine.dataset import RepeatDataset
from mmseg.registry import DATASETS
from torch import Tensor

from segkd_mm.datasets.wrapped import base_datasets
from segkd_mm.whole_image.images import WholeImages
from segkd_mm.whole_image.samples import attach_whole_images
from segkd_mm.whole_image.store import TeacherCache
from segkd_mm.whole_image.track import LOADERS

_IMAGE = 'whole_image'  # of the results of a pipeline


@DATASETS.register_module()
class WithTeacherCache(RepeatDataset):
    """A data set for a ``CachedTeacher``: samples come with the teacher's maps of their image.

    The pipelines stay as they are, with all their random augmentation; a sample has in addition
    a :class:`segkd_mm.whole_image.samples.WholeImage` with the ``maps``.

    Args:
        dataset: Config of the data set, also of one that wraps others.
        cache: Folder that ``tools/cache_teacher.py`` filled.

    Raises:
        CacheError: There is no cache, or it is of other images than the data set's.
        TypeError: A pipeline moves pixels in a way that is not known.
    """

    def __init__(self, dataset: dict, cache: str | os.PathLike) -> None:
        super().__init__(dataset, times=1)
        store = TeacherCache(cache)
        images = WholeImages(self.dataset)
        store.check_images(images.paths, images.loader)
        attach_whole_images(self.dataset, partial(_read_maps, store))


def _read_maps(store: TeacherCache, results: dict) -> dict[str, Any]:
    maps = store.read(results['img_path'], results['ori_shape'][:2])
    return {'maps': maps, 'cache': store.folder}


@DATASETS.register_module()
class WithWholeImage(RepeatDataset):
    """A data set for a ``WholeImageTeacher``: samples come with the image they are cropped from.

    The pipelines stay as they are, with all their random augmentation; a sample has in addition
    a :class:`segkd_mm.whole_image.samples.WholeImage` with the ``image``, which is decoded once.

    Args:
        dataset: Config of the data set, also of one that wraps others.

    Raises:
        TypeError: A pipeline moves pixels in a way that is not known, or does not load its images
            by ``LoadImageFromFile`` or ``LoadBands``.
    """

    def __init__(self, dataset: dict) -> None:
        super().__init__(dataset, times=1)
        attach_whole_images(self.dataset, _read_image)
        for base in base_datasets(self.dataset):
            base.pipeline.transforms = _with_image_kept(base.pipeline.transforms)


def _read_image(results: dict) -> dict[str, Tensor]:
    return {'image': results[_IMAGE]}


def _with_image_kept(transforms: list[Callable]) -> list[Callable]:
    kept = [_KeepImage(t) if type(t.inner) in LOADERS else t for t in transforms]
    if not any(isinstance(transform, _KeepImage) for transform in kept):
        raise TypeError(
            f'The pipeline {[type(t.inner).__name__ for t in transforms]} has no LoadImageFromFile '
            'or LoadBands whose image could be kept for the teacher.'
        )
    return kept


class _KeepImage(BaseTransform):
    """A loader of images which also keeps the image as it was loaded."""

    def __init__(self, load: Callable[[dict], dict]) -> None:
        self.load = load

    def transform(self, results: dict) -> dict:
        results = self.load(results)
        # A copy, for transforms may change the image in place.
        image = np.ascontiguousarray(results['img'].transpose(2, 0, 1))
        return {**results, _IMAGE: torch.from_numpy(image)}
