"""What a data set adds to the checks of its samples: the classes, and errors that name images."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from mmengine import fileio

from segkd_mm.datasets.eight_bits import check_eight_bits, reduces_bits
from segkd_mm.datasets.mask_values import CompleteMap, read_mask
from segkd_mm.datasets.sample_error import named_image_errors, sample_error
from segkd_mm.labels import VOID


class CheckedImages:
    """Mixin of a ``BaseDataset``, before it in the bases: errors name an image that is wrong.

    It is unreadable; or it is the first, and has more bits than its loader keeps.
    """

    def full_init(self) -> None:
        """List the samples.

        Raises:
            SampleError: The first image has more than 8 bits, and a loader that keeps 8.
        """
        if self._fully_initialized:
            return
        super().full_init()
        if len(self) and reduces_bits(self.pipeline.transforms):
            check_eight_bits(self.get_data_info(0)['img_path'])

    def prepare_data(self, idx: int) -> Any:
        info = self.get_data_info(idx)
        try:
            with named_image_errors(info['img_path']):
                return self.pipeline(info)
        except KeyError as error:
            if not isinstance(error.args[0], str):
                raise
            steps = [type(step).__name__ for step in self.pipeline.transforms]
            raise ValueError(
                f'The pipeline of {type(self).__name__} needs {error}, which no step before gives: '
                f'{", ".join(steps)}. It begins with the loaders, LoadImageFromFile and '
                'LoadCheckedAnnotations, and ends with PackSegInputs.'
            ) from error


class CheckedSamples(CheckedImages):
    """Mixin of a ``BaseSegDataset`` (before it in the bases) that ``LoadCheckedAnnotations`` needs.

    It gives each sample the number of classes, and looks for foreground that is void.
    """

    def get_data_info(self, idx: int) -> dict:
        return {**super().get_data_info(idx), 'num_classes': len(self._metainfo['classes'])}

    def get_cat_ids(self, idx: int) -> list[int]:
        """The class ids in a mask, for mmengine's ``ClassBalancedDataset``."""
        info = self.get_data_info(idx)
        if 'seg_map_path' not in info:
            return []
        file = info['seg_map_path']
        label_map, zero = info['label_map'], info['reduce_zero_label']
        mask = read_mask(file, fileio.get(file), info['num_classes'], label_map, zero)
        return [class_id for class_id in np.unique(mask).tolist() if class_id != VOID]

    def full_init(self) -> None:
        """List the samples.

        Raises:
            SampleError: Two classes, and the masks hold 0 and 255 alone; or as
                :class:`CheckedImages`.
            ValueError: ``reduce_zero_label`` beside a complete map of the values in the masks.
        """
        if self._fully_initialized:
            return
        if self.reduce_zero_label and isinstance(self.label_map, CompleteMap):
            raise ValueError(
                f'{type(self).__name__} has reduce_zero_label=True beside label_map or colors, '
                'which say themselves what each value in the masks is. Leave it out, and write '
                "label_map={0: 'void', 1: 'FIRST CLASS', ...}."
            )
        super().full_init()
        if len(self._metainfo['classes']) == 2 and not isinstance(self.label_map, CompleteMap):
            infos = (self.get_data_info(index) for index in range(len(self)))
            _check_foreground(info['seg_map_path'] for info in infos if 'seg_map_path' in info)


def _check_foreground(masks: Iterable[str]) -> None:
    """Look at masks of two classes until one holds the id 1, which is the first, mostly."""
    void = None
    for file in masks:
        ids = np.unique(read_mask(file, fileio.get(file)))
        if {*ids.tolist()} - {0, VOID}:
            return
        void = void or (file if VOID in ids else None)
    if void:
        raise sample_error(
            void, 'only 0 and 255, as in all masks', 'the class ids 0 and 1 (255 is void)',
            'If 255 is the second class: use FolderDataset with '
            "label_map={0: 'FIRST CLASS', 255: 'SECOND CLASS'}.",
        )  # fmt: skip
