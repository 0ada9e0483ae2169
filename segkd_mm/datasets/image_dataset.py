"""Data set of image files without masks."""

from collections.abc import Callable, Sequence
from pathlib import Path

from mmengine.dataset import BaseDataset

from segkd_mm.datasets.checked_samples import CheckedImages


class ImageFiles(CheckedImages, BaseDataset):
    """Data set of image files without masks.

    Args:
        files: The image files.
        pipeline: Transforms or their configs.
    """

    def __init__(self, files: Sequence[Path], pipeline: Sequence[Callable | dict]) -> None:
        self._files = files
        super().__init__(pipeline=pipeline)

    def load_data_list(self) -> list[dict]:
        return [{'img_path': str(file), 'seg_fields': []} for file in self._files]
