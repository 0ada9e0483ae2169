"""Cityscapes data set at half size, and the functions that halve images and masks."""

import cv2
import numpy as np
from mmseg.datasets import BaseSegDataset, CityscapesDataset
from mmseg.registry import DATASETS

from segkd_mm.commands import command
from segkd_mm.datasets.layout import CheckedLayout
from segkd_mm.labels import VOID

IMAGE_SUFFIX = '_leftImg8bit.png'
LABEL_SUFFIX = '_gtFine_labelTrainIds.png'
# The ids of the 19 classes in the files *_gtFine_labelIds.png, in the order of the classes.
LABEL_IDS = (7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33)

_TRAIN_ID_OF = np.full(256, VOID, np.uint8)
_TRAIN_ID_OF[list(LABEL_IDS)] = np.arange(len(LABEL_IDS))


@DATASETS.register_module()
class CityscapesHalfDataset(CheckedLayout, BaseSegDataset):
    """Cityscapes at 1024 x 512 pixels: the 19 evaluated classes, void is 255.

    Made once by ``tools/halve_cityscapes.py``, so that training does not read images of four times
    the size.

    Source: Cordts et al., arXiv 1604.01685.

    Raises:
        DataLayoutError: See :class:`CheckedLayout`.
    """

    METAINFO = CityscapesDataset.METAINFO
    LAYOUT = """
cityscapes_half/
├── leftImg8bit/{train,val}/<city>/*_leftImg8bit.png         (1024 x 512)
└── gtFine/{train,val}/<city>/*_gtFine_labelTrainIds.png     (1024 x 512, 0 to 18 and 255)
"""
    SOURCE = (
        'unpack leftImg8bit_trainvaltest.zip and gtFine_trainvaltest.zip of '
        'https://www.cityscapes-dataset.com/downloads (an account is needed) in one folder, then '
        f'run: {command("halve-cityscapes")} THAT_FOLDER data/cityscapes_half'
    )

    def __init__(self, **kwargs) -> None:
        super().__init__(img_suffix=IMAGE_SUFFIX, seg_map_suffix=LABEL_SUFFIX, **kwargs)


def halve_image(image: np.ndarray) -> np.ndarray:
    """Halve an image: each pixel is the mean of a block of 2 x 2.

    Args:
        image: [H, W, 3], uint8, H and W even.
    """
    height, width = image.shape[:2]
    return cv2.resize(image, (width // 2, height // 2), interpolation=cv2.INTER_AREA)


def halve_mask(label_ids: np.ndarray) -> np.ndarray:
    """Halve a mask and convert it to train ids: the top left pixel of each block of 2 x 2.

    All four pixels are equally far from the centre of the block, where the pixel of
    :func:`halve_image` is. mmseg's nearest-neighbour resizing also takes the top left one.

    Args:
        label_ids: [H, W], uint8, H and W even; the ids of ``*_gtFine_labelIds.png``.

    Returns:
        [H / 2, W / 2], uint8: 0 to 18, or 255 for classes that are not evaluated.
    """
    return _TRAIN_ID_OF[label_ids[::2, ::2]]
