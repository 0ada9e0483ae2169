"""PASCAL VOC 2012 data set."""

from mmseg.datasets import BaseSegDataset, PascalVOCDataset
from mmseg.registry import DATASETS
from torchvision.datasets.voc import DATASET_YEAR_DICT

from segkd_mm.datasets.download import download_folder
from segkd_mm.datasets.layout import CheckedLayout

TAR = DATASET_YEAR_DICT['2012']


# mmseg's PascalVOCDataset only adds an assertion without a message to its base.
@DATASETS.register_module()
class VOC2012Dataset(CheckedLayout, BaseSegDataset):
    """PASCAL VOC 2012: 20 classes and background, void is 255.

    Source: http://host.robots.ox.ac.uk/pascal/VOC/voc2012

    Args:
        download: Download the data (2 GB) to ``data_root`` if that does not exist; the masks of
            SBD are not included.

    Raises:
        DataLayoutError: See :class:`CheckedLayout`.
        DownloadError: See :func:`~segkd_mm.datasets.download.download_folder`.
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
        'add --cfg-options download=True, which downloads them (2 GB) to data_root if that '
        f'does not exist; or unpack {TAR["url"]} in data/. SegmentationClassAug and aug.txt are '
        "not in it: they are made from SBD by mmseg's tools/dataset_converters/voc_aug.py."
    )

    def __init__(self, download: bool = False, **kwargs) -> None:
        self._download = download
        super().__init__(**kwargs)

    def load_data_list(self) -> list[dict]:
        if self._download:
            download_folder(self.data_root, TAR['url'], TAR['md5'], inside=TAR['base_dir'])
        return super().load_data_list()
