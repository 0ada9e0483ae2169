"""A labelled data set extended by unlabelled images, for distillation."""

from collections.abc import Callable, Sequence
from copy import copy
from pathlib import Path

import numpy as np
from mmcv.transforms import BaseTransform, LoadAnnotations
from mmengine.dataset import BaseDataset, ConcatDataset
from mmseg.datasets.transforms import RandomCrop
from mmseg.registry import DATASETS

from segkd_mm.datasets.image_dataset import ImageFiles
from segkd_mm.datasets.layout import DataLayoutError
from segkd_mm.datasets.resize_crop_flip import RandomResizeCropFlip
from segkd_mm.datasets.sample_error import check_size
from segkd_mm.datasets.wrapped import iterate_wrapped
from segkd_mm.image_files import SUFFIXES, images_in
from segkd_mm.labels import UNLABELLED


@DATASETS.register_module()
class WithUnlabelled(ConcatDataset):
    """A labelled data set concatenated with unlabelled images, with the same pipeline.

    Instead of by ``LoadAnnotations``, the images get a mask of ``UNLABELLED``, which is cropped,
    flipped and rotated with them, so that padding is void. Samples are drawn from both with equal
    probability: if there are many more unlabelled images, wrap the labelled set in a
    ``RepeatDataset``, or most batches hold few labels.

    Args:
        labelled: Config of an mmseg data set, possibly in a ``RepeatDataset`` or ``ConcatDataset``;
            the pipeline of the first data set inside is used.
        images: Folder of images, or several; subfolders are included.

    Raises:
        DataLayoutError: A folder does not exist or holds no image.
        ValueError: The pipeline has no ``LoadAnnotations``.
    """

    def __init__(self, labelled: dict, images: str | Sequence[str]) -> None:
        labelled = DATASETS.build(labelled)
        folders = [images] if isinstance(images, str) else images
        files = [file for folder in folders for file in _images_in(Path(folder))]
        unlabelled = ImageFiles(files, _unlabelled_pipeline(labelled))
        super().__init__([unlabelled], lazy_init=True)
        # ConcatDataset's constructor refuses a RepeatDataset, which is no BaseDataset.
        self.datasets.insert(0, labelled)
        self._metainfo = labelled.metainfo
        self.full_init()


def _images_in(folder: Path) -> list[Path]:
    if images := images_in(folder):
        return images
    found = 'holds no images' if folder.is_dir() else 'does not exist'
    raise DataLayoutError(
        f'{folder} {found} (looked in {folder.resolve()}).\n'
        'WithUnlabelled expects a folder of images, at any depth, with one of the endings '
        f'{SUFFIXES}.\n'
        'If they are elsewhere: --cfg-options train_dataloader.dataset.images=/path/to/them'
    )


class MarkUnlabelled(BaseTransform):
    """Transform that sets a mask of ``UNLABELLED`` instead of loading one."""

    def transform(self, results: dict) -> dict:
        check_size(results['img'], results['img_path'])
        results['gt_seg_map'] = np.full(results['img'].shape[:2], UNLABELLED, np.uint8)
        results['seg_fields'].append('gt_seg_map')
        return results


def _unlabelled_pipeline(labelled: BaseDataset) -> list[Callable]:
    """The pipeline of a data set with ``MarkUnlabelled`` instead of ``LoadAnnotations``."""
    labelled = next(part for part in iterate_wrapped(labelled) if hasattr(part, 'pipeline'))
    # The pipeline of mmseg's MultiImageMixDataset is a list.
    transforms = getattr(labelled.pipeline, 'transforms', labelled.pipeline)
    if not any(isinstance(transform, LoadAnnotations) for transform in transforms):
        raise ValueError(
            f'WithUnlabelled: the pipeline of {type(labelled).__name__} has no LoadAnnotations to '
            f'replace, but {[type(t).__name__ for t in transforms]}; add LoadAnnotations to it.'
        )
    return [without_mask(transform) for transform in transforms]


def without_mask(transform: Callable) -> Callable:
    """The transform for an unlabelled image: no masks are loaded, no crops are refused."""
    if isinstance(transform, LoadAnnotations):
        return MarkUnlabelled()
    if isinstance(transform, RandomCrop | RandomResizeCropFlip):
        # A mask with a single id never passes cat_max_ratio, and ten crops would double the time.
        transform = copy(transform)
        transform.cat_max_ratio = 1.0
    return transform
