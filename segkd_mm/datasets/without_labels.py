"""A data set whose labels are not read, as unlabelled images for distillation."""

from collections.abc import Callable
from copy import copy

from mmcv.transforms import LoadAnnotations
from mmengine.dataset import RepeatDataset
from mmseg.datasets.transforms import RandomCrop
from mmseg.registry import DATASETS

from segkd_mm.datasets.resize_crop_flip import RandomResizeCropFlip
from segkd_mm.datasets.unlabelled import MarkUnlabelled
from segkd_mm.datasets.whole_photos import leaves


@DATASETS.register_module()
class WithoutLabels(RepeatDataset):
    """A data set as images without labels, to stand beside a labelled one in a ``ConcatDataset``.

    As :class:`segkd_mm.datasets.WithUnlabelled` does for the images of a folder, it puts a mask of
    ``UNLABELLED`` in the place of what ``LoadAnnotations`` would read. The labels' files need not
    be right, nor looked at.

    Args:
        dataset: Config of the data set, also of one that wraps others.
    """

    def __init__(self, dataset: dict) -> None:
        super().__init__(dataset, times=1)
        for leaf in leaves(self.dataset):
            leaf.pipeline.transforms = [_unlabelled(t) for t in leaf.pipeline.transforms]


def _unlabelled(transform: Callable) -> Callable:
    if isinstance(transform, LoadAnnotations):
        return MarkUnlabelled()
    if isinstance(transform, RandomCrop | RandomResizeCropFlip):
        # A mask of one id never passes cat_max_ratio.
        transform = copy(transform)
        transform.cat_max_ratio = 1.0
    return transform
