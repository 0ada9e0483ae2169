"""Checks of the folder layout of a data set, with errors that say how to get the data."""

import os
from collections.abc import Iterable
from pathlib import Path
from textwrap import indent

from segkd_mm.datasets.checked_samples import CheckedSamples


class DataLayoutError(FileNotFoundError):
    """Error of a data folder that is missing or has another layout than its data set expects."""


class CheckedLayout(CheckedSamples):
    """Mixin of a ``BaseSegDataset`` (before it in the bases) that checks the files at the start.

    Attributes:
        LAYOUT: The expected folders and files, as a tree. Empty: not in the message.
        SOURCE: How to get the data. Likewise.
    """

    LAYOUT: str = ''
    SOURCE: str = ''

    def load_data_list(self) -> list[dict]:
        """List the samples as mmseg does and check that their files exist.

        Raises:
            DataLayoutError: A folder, a split file, an image or a mask is missing; names the
                first, and shows ``LAYOUT`` and ``SOURCE``.
        """
        for path in filter(None, (self.data_root, *self.data_prefix.values(), self.ann_file)):
            if not os.path.exists(path):
                raise self._layout_error(f'{path} does not exist.')
        samples = super().load_data_list()
        if not samples:
            images = (
                f'{self.data_prefix["img_path"]} holds no image that ends in {self.img_suffix}.'
            )
            raise self._layout_error(f'{self.ann_file} is empty.' if self.ann_file else images)
        self._require('images', [sample['img_path'] for sample in samples])
        # A test set may have no masks.
        self._require('masks', [s['seg_map_path'] for s in samples if 'seg_map_path' in s])
        return samples

    def _require(self, kind: str, paths: list[str]) -> None:
        present = _files_in({os.path.dirname(path) for path in paths})
        missing = [path for path in paths if path not in present]
        if missing:
            raise self._layout_error(
                f'{missing[0]} does not exist ({len(missing)} of {len(paths)} {kind} are missing).'
            )

    def _layout_error(self, found: str) -> DataLayoutError:
        root = os.path.abspath(self.data_root) if self.data_root else 'not set'
        lines = [
            f'{found} (data_root is {root})',
            self.LAYOUT
            and f'{type(self).__name__} expects:\n{indent(self.LAYOUT.strip(), "    ")}',
            self.SOURCE and f'To get the data: {self.SOURCE}',
            'If they are elsewhere: --cfg-options data_root=/path/to/it',
        ]
        return DataLayoutError('\n'.join(filter(None, lines)))


def holds_files(folder: Path) -> bool:
    """Whether a folder exists and is not empty."""
    return folder.is_dir() and any(folder.iterdir())


def _files_in(folders: Iterable[str]) -> set[str]:
    return {
        os.path.join(folder, name)
        for folder in folders
        if os.path.isdir(folder)
        for name in os.listdir(folder)
    }
