"""The whole images of a data set without augmentation, each once."""

from typing import Any

import numpy as np
import torch
from mmcv.transforms import LoadImageFromFile
from mmengine.dataset import BaseDataset
from mmseg.datasets.transforms import LoadAnnotations
from torch.utils.data import Dataset

from segkd_mm.datasets.sample_error import check_size, named_image_errors
from segkd_mm.datasets.wrapped import base_datasets
from segkd_mm.labels import VOID


class WholeImages(Dataset):
    """The images of a data set without augmentation, in its order, each once.

    An item is a dict of ``path``; ``image``, [C, H, W] as it is loaded; and ``labels``,
    int64 [H, W], void where there are none.

    Args:
        dataset: A data set, or one that wraps others.

    Attributes:
        paths: Of the images.
        loader: How they are read from their files, in words.

    Raises:
        TypeError: A sample of the data set is joined from several.
        ValueError: Its parts read images in different ways.
    """

    def __init__(self, dataset: Any) -> None:
        self._places: dict[str, tuple[BaseDataset, int]] = {}
        for base in base_datasets(dataset):
            for index in range(len(base)):
                self._places.setdefault(base.get_data_info(index)['img_path'], (base, index))
        self.paths = [*self._places]
        # A pipeline with a loader of its own is taken to decode as mmcv's does.
        loaders = [
            _first(b, LoadImageFromFile) or LoadImageFromFile() for b in base_datasets(dataset)
        ]
        self._load, self.loader = loaders[0], repr(loaders[0])
        if len({*map(repr, loaders)}) > 1:
            raise ValueError(f'The data set reads its images in different ways: {loaders}.')

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, number: int) -> dict:
        path = self.paths[number]
        base, index = self._places[path]
        with named_image_errors(path):
            results = self._load(base.get_data_info(index))
        check_size(results['img'], path)
        annotate = _first(base, LoadAnnotations)
        if annotate and 'seg_map_path' in results:
            results = annotate(results)
        image = results['img']
        labels = results.get('gt_seg_map', np.full(image.shape[:2], VOID))
        return {
            'path': path,
            'image': torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1))),
            'labels': torch.from_numpy(labels.astype(np.int64)),
        }


def _first(base: BaseDataset, kind: type) -> Any:
    found = (t for t in base.pipeline.transforms if isinstance(t, kind))
    return next(found, None)
