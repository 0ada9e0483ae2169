"""A data set whose masks are not read, as unlabelled images for distillation."""

from mmengine.dataset import RepeatDataset
from mmseg.registry import DATASETS

from segkd_mm.datasets.unlabelled import without_mask
from segkd_mm.datasets.wrapped import base_datasets


@DATASETS.register_module()
class WithoutLabels(RepeatDataset):
    """A data set as unlabelled images, to join with a labelled one by ``ConcatDataset``.

    Instead of by ``LoadAnnotations``, samples get a mask of ``UNLABELLED``, as the images of
    :class:`segkd_mm.datasets.WithUnlabelled` do. The files of the masks are not opened.

    Args:
        dataset: Config of the data set, also of one that wraps others.
    """

    def __init__(self, dataset: dict) -> None:
        super().__init__(dataset, times=1)
        for base in base_datasets(self.dataset):
            base.pipeline.transforms = [without_mask(t) for t in base.pipeline.transforms]

    def get_data_info(self, idx: int) -> dict:
        """The information on a sample, without its mask, so that class weights do not count it."""
        info = super().get_data_info(idx)
        info.pop('seg_map_path', None)
        return info
