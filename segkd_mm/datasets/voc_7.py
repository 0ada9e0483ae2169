"""VOC 2012 data set with fixed lists of labelled images, for trainings with few labels."""

from pathlib import Path
from typing import Any

from mmseg.registry import DATASETS

from segkd_mm.datasets.voc import VOC2012Dataset

SPLITS = Path(__file__).parent / 'splits' / 'voc_7'


@DATASETS.register_module()
class VOC7Dataset(VOC2012Dataset):
    """VOC 2012 by fixed lists: which of 1,300 training images have labels, and which are held out.

    The lists lie in ``splits/voc_7``. ``held_out`` has 216 of the images, for tuning. The other
    1,084, in the order of the SHA-256 of their names, give the labelled ones: the first 81 make
    ``labelled_1_16``, the first 162 ``labelled_1_8``, the first 325 ``labelled_1_4``, all of them
    ``labelled_all``, so that each list holds those before it. ``unlabelled_1_8`` is the rest of the
    1,300, those held out among them, for a training that does not read their labels: see
    :class:`WithoutLabels`.
    ``unlabelled_1_8_tuning`` is that without those held out, to choose settings of a student that
    learns from unlabelled images by scores on images that it has not seen.

    Args:
        split: Name of a list.
        **kwargs: As of :class:`VOC2012Dataset`.

    Raises:
        ValueError: Another ``split``.
        DataLayoutError: See :class:`CheckedLayout`.
    """

    def __init__(self, split: str, **kwargs: Any) -> None:
        splits = sorted(file.stem for file in SPLITS.glob('*.txt'))
        if split not in splits:
            raise ValueError(f'VOC7Dataset: split is {split!r}, expected one of {splits}.')
        super().__init__(ann_file=str(SPLITS / f'{split}.txt'), **kwargs)
