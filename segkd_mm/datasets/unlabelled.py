"""Images without labels beside a labelled data set, for distillation, which needs none."""

from collections.abc import Callable, Sequence
from copy import copy
from pathlib import Path

import numpy as np
from mmcv.transforms import BaseTransform, LoadAnnotations
from mmengine.dataset import BaseDataset, ConcatDataset
from mmseg.datasets.transforms import RandomCrop
from mmseg.registry import DATASETS

from segkd_mm.datasets.checked_samples import NamedImageErrors
from segkd_mm.datasets.layout import DataLayoutError
from segkd_mm.datasets.resize_crop_flip import RandomResizeCropFlip
from segkd_mm.datasets.wrapped import walk
from segkd_mm.image_files import SUFFIXES, images_in
from segkd_mm.labels import UNLABELLED


@DATASETS.register_module()
class WithUnlabelled(ConcatDataset):
    """A labelled data set and images without labels, through one pipeline.

    In the place of its ``LoadAnnotations`` the images get a mask of ``UNLABELLED``, which crops,
    flips and rotates with them, so that padding is void as ever. Samples are drawn from both alike:
    where the images are many times more, wrap the labelled set in a ``RepeatDataset``, lest most
    batches hold hardly a label.

    Args:
        labelled: Config of a data set of mmseg's, also in a ``RepeatDataset`` or ``ConcatDataset``,
            the pipeline of whose first data set is taken.
        images: Folder of images, or several; those in folders below are taken too.

    Raises:
        DataLayoutError: A folder does not exist, or holds no image.
        ValueError: The pipeline has no ``LoadAnnotations``.
    """

    def __init__(self, labelled: dict, images: str | Sequence[str]) -> None:
        labelled = DATASETS.build(labelled)
        folders = [images] if isinstance(images, str) else images
        super().__init__([_Images(folders, _without_labels(labelled))], lazy_init=True)
        # Given with the images, a RepeatDataset, which is no BaseDataset, would be refused.
        self.datasets.insert(0, labelled)
        self._metainfo = labelled.metainfo
        self.full_init()


class _Images(NamedImageErrors, BaseDataset):
    def __init__(self, folders: Sequence[str], pipeline: Sequence[Callable]) -> None:
        self._folders = folders
        super().__init__(pipeline=pipeline)

    def load_data_list(self) -> list[dict]:
        files = [file for folder in self._folders for file in _images_in(Path(folder))]
        return [{'img_path': str(file), 'seg_fields': []} for file in files]


def _images_in(folder: Path) -> list[Path]:
    if images := images_in(folder):
        return images
    found = 'holds no images' if folder.is_dir() else 'does not exist'
    raise DataLayoutError(
        f'{folder} {found} (looked in {folder.resolve()}).\n'
        'WithUnlabelled expects a folder of images, at any depth, which end in '
        f'{SUFFIXES}.\n'
        'If they are in another place: --cfg-options train_dataloader.dataset.images=/path/to/them'
    )


class MarkUnlabelled(BaseTransform):
    """In the place of labels, a mask of ``UNLABELLED``."""

    def transform(self, results: dict) -> dict:
        results['gt_seg_map'] = np.full(results['img'].shape[:2], UNLABELLED, np.uint8)
        results['seg_fields'].append('gt_seg_map')
        return results


def _without_labels(labelled: BaseDataset) -> list[Callable]:
    """The data set's pipeline, with a mask of ``UNLABELLED`` in the place of labels."""
    labelled = next(part for part in walk(labelled) if hasattr(part, 'pipeline'))
    # Of mmseg's MultiImageMixDataset the pipeline is a plain list.
    transforms = getattr(labelled.pipeline, 'transforms', labelled.pipeline)
    if not any(isinstance(transform, LoadAnnotations) for transform in transforms):
        raise ValueError(
            f'WithUnlabelled: the pipeline of {type(labelled).__name__} has no LoadAnnotations for '
            f'the images to leave out, but {[type(t).__name__ for t in transforms]}.'
        )
    return [_for_images(transform) for transform in transforms]


def _for_images(transform: Callable) -> Callable:
    if isinstance(transform, LoadAnnotations):
        return MarkUnlabelled()
    if isinstance(transform, RandomCrop | RandomResizeCropFlip):
        # A mask of one id never passes cat_max_ratio, and ten tries of it cost as much as the rest.
        transform = copy(transform)
        transform.cat_max_ratio = 1.0
    return transform
