"""PASCAL VOC 2012."""

from mmseg.datasets import BaseSegDataset, PascalVOCDataset
from mmseg.registry import DATASETS

from segkd_mm.datasets.layout import CheckedLayout


# mmseg's PascalVOCDataset adds to its base only an assertion without a message.
@DATASETS.register_module()
class VOC2012Dataset(CheckedLayout, BaseSegDataset):
    """PASCAL VOC 2012: 20 classes and background, void is 255.

    Source: http://host.robots.ox.ac.uk/pascal/VOC/voc2012

    Raises:
        DataLayoutError: See :class:`CheckedLayout`.
    """

    METAINFO = PascalVOCDataset.METAINFO
    LAYOUT = """
VOC2012/
├── JPEGImages/*.jpg
├── SegmentationClass/*.png
├── SegmentationClassAug/*.png          (voc_aug.py only)
└── ImageSets/Segmentation/
    ├── train.txt, val.txt
    └── aug.txt                         (voc_aug.py only)
"""
    SOURCE = (
        'unpack http://host.robots.ox.ac.uk/pascal/VOC/voc2012/VOCtrainval_11-May-2012.tar in '
        "data/; SegmentationClassAug and aug.txt are made from SBD by mmseg's "
        'tools/dataset_converters/voc_aug.py.'
    )
