"""MSRC-v2 data set with a fixed split."""

from pathlib import Path

from mmseg.datasets import BaseSegDataset
from mmseg.registry import DATASETS

from segkd_mm.datasets.layout import CheckedLayout

SPLITS = Path(__file__).parent / 'splits' / 'msrc_v2'


@DATASETS.register_module()
class MSRCv2Dataset(CheckedLayout, BaseSegDataset):
    """MSRC-v2: 591 images, 23 classes, void is 255.

    The authors give no split; the usual sizes are 276 / 59 / 256. The files in ``splits/msrc_v2``
    hold ours. They were made as follows: in each of the 20 scenes (the number before the first
    ``_`` of a name) order the names by their SHA-256; the first go to train, the next to val, the
    rest to test. Of a scene with n images, n * 276 / 591 go to train and n * 59 / 591 to val,
    rounded down, but up in the scenes with the largest remainders (of equal ones the lower scene
    number) until the sizes are reached.

    For trainings with few labels ``labelled_1_8`` has 34 of the 276 training images, chosen of each
    scene by the same rule, and ``unlabelled_1_8`` the other 242.

    horse (3 images) and mountain (26) are too rare to evaluate and usually left out: list the other
    classes in ``metainfo=dict(classes=...)``.

    Source: Shotton et al., TextonBoost, IJCV 2009.

    Args:
        split: ``'train'``, ``'val'``, ``'test'``, ``'labelled_1_8'`` or ``'unlabelled_1_8'``.

    Raises:
        ValueError: Unknown ``split``.
        DataLayoutError: See :class:`CheckedLayout`.
    """

    METAINFO = {
        'classes': (
            'building', 'grass', 'tree', 'cow', 'horse', 'sheep', 'sky', 'mountain', 'aeroplane',
            'water', 'face', 'car', 'bicycle', 'flower', 'sign', 'bird', 'book', 'chair', 'road',
            'cat', 'dog', 'body', 'boat',
        ),
        'palette': [
            [128, 0, 0], [0, 128, 0], [128, 128, 0], [0, 0, 128], [128, 0, 128], [0, 128, 128],
            [128, 128, 128], [64, 0, 0], [192, 0, 0], [64, 128, 0], [192, 128, 0], [64, 0, 128],
            [192, 0, 128], [64, 128, 128], [192, 128, 128], [0, 64, 0], [128, 64, 0], [0, 192, 0],
            [128, 64, 128], [0, 192, 128], [128, 192, 128], [64, 64, 0], [192, 64, 0],
        ],
    }  # fmt: skip
    LAYOUT = """
msrc_v2/
├── JPEGImages/*.jpg            (10_1_s.jpg ...)
└── SegmentationClass/*.png     (class index in the order of the classes, 255 is void)
"""
    SOURCE = (
        'https://www.microsoft.com/en-us/research/project/image-understanding (Pixel-wise labelled '
        'image database v2); turn Images/*.bmp into JPEGImages/*.jpg, and the colours of '
        'GroundTruth/*_GT.bmp, which are the palette of this dataset, into class indices.'
    )

    def __init__(self, split: str, **kwargs) -> None:
        splits = sorted(file.stem for file in SPLITS.glob('*.txt'))
        if split not in splits:
            raise ValueError(f'MSRCv2Dataset: split is {split!r}, expected one of {splits}.')
        super().__init__(ann_file=str(SPLITS / f'{split}.txt'), **kwargs)
