"""The photos of a data set as they are, each once: what a teacher is shown."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from mmcv.transforms import LoadImageFromFile
from mmengine.dataset import BaseDataset, RepeatDataset
from mmseg.datasets.transforms import LoadAnnotations
from torch.utils.data import Dataset

from segkd_mm.labels import VOID


class WholePhotos(Dataset):
    """The photos of a data set without augmentation, in its order, each once.

    An item is a dict of ``path``; ``photo``, uint8 [3, H, W], BGR as it is loaded; and ``labels``,
    int64 [H, W], void where there are none.

    Args:
        dataset: A data set, or one that wraps others.

    Attributes:
        paths: Of the photos.
        loader: How they are read from their files, in words.

    Raises:
        TypeError: A sample of the data set is joined from several.
        ValueError: Its parts read photos in different ways.
    """

    def __init__(self, dataset: Any) -> None:
        self._places: dict[str, tuple[BaseDataset, int]] = {}
        for leaf in leaves(dataset):
            for index in range(len(leaf)):
                self._places.setdefault(leaf.get_data_info(index)['img_path'], (leaf, index))
        self.paths = [*self._places]
        # A pipeline with a loader of its own is taken to decode as mmcv's does.
        loaders = [
            _first(leaf, LoadImageFromFile) or LoadImageFromFile() for leaf in leaves(dataset)
        ]
        self._load, self.loader = loaders[0], repr(loaders[0])
        if len({*map(repr, loaders)}) > 1:
            raise ValueError(f'The data set reads its photos in different ways: {loaders}.')

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, number: int) -> dict:
        path = self.paths[number]
        leaf, index = self._places[path]
        results = self._load(leaf.get_data_info(index))
        annotate = _first(leaf, LoadAnnotations)
        if annotate and 'seg_map_path' in results:
            results = annotate(results)
        photo = results['img']
        labels = results.get('gt_seg_map', np.full(photo.shape[:2], VOID))
        return {
            'path': path,
            'photo': torch.from_numpy(np.ascontiguousarray(photo.transpose(2, 0, 1))),
            'labels': torch.from_numpy(labels.astype(np.int64)),
        }


def leaves(dataset: Any) -> Iterator[BaseDataset]:
    """The data sets with files that a data set is made of.

    Raises:
        TypeError: It is of a kind that joins samples, or that is not known.
    """
    if isinstance(dataset, BaseDataset):
        yield dataset
    elif isinstance(dataset, RepeatDataset):
        yield from leaves(dataset.dataset)
    elif hasattr(dataset, 'datasets'):
        for part in dataset.datasets:
            yield from leaves(part)
    else:
        raise TypeError(
            f'{type(dataset).__name__} is not known as a data set whose samples each lie in one '
            "photo, so that a teacher's logits cannot follow them."
        )


def _first(leaf: BaseDataset, kind: type) -> Any:
    found = (t for t in leaf.pipeline.transforms if isinstance(t, kind))
    return next(found, None)
