"""A data set of images and masks in two folders, by their paths and the names of the classes."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from mmseg.datasets import BaseSegDataset
from mmseg.registry import DATASETS

from segkd_mm.datasets.checked_samples import CheckedSamples
from segkd_mm.datasets.folder_pairs import check_pairs, files_by_stem, in_part, read_names
from segkd_mm.datasets.folder_values import check_classes, colours_of, map_of_values
from segkd_mm.datasets.mask_values import Colour, CompleteMap

MISSING_MASKS = ('error', 'unlabelled', 'skip')


@DATASETS.register_module()
class FolderDataset(CheckedSamples, BaseSegDataset):
    """Images and masks in two folders, paired by their paths inside them without suffix.

    Masks hold class ids (8 or 16 bits, also with a palette), where 255 is void; other ids with
    ``label_map``; colours with ``colors``. Their pipeline loads them by ``LoadCheckedAnnotations``.

    Args:
        images: Folder of the images, at any depth.
        classes: Names of the classes, in the order of their ids.
        masks: Folder of the masks, at any depth. None only with ``test_mode=True``.
        split: 'train', 'val' or 'test': the folder of that name in both folders, or with ``shares``
            that part of the names. A path that ends in '.txt': a list of names without suffix, one
            a line. None: all images.
        shares: Of train, val and, where there are three, test: such as (0.8, 0.2). A name stays in
            its part when files are added.
        seed: Of the split by shares.
        missing_masks: What an image without a mask is: 'error'; 'unlabelled', in training with
            few labels; or 'skip', for validation beside it.
        colors: The colour (red, green, blue) of each class in the masks, by name, or a list of
            several. 'void' or a name in ``label_map`` may be there, too. The first is shown.
        label_map: From the ids in the masks, or the names in ``colors``, to names of classes or
            'void'. Ids that are not listed, other than 255, are then errors.
        **kwargs: Of ``BaseSegDataset``.

    Raises:
        DataLayoutError: A folder or file is missing, or a name has no partner or several.
        SampleError: Two classes, and all masks hold 0 and 255 alone.
        ValueError: The arguments contradict one another.
    """

    def __init__(
        self,
        images: str,
        classes: Sequence[str],
        masks: str | None = None,
        split: str | None = None,
        shares: Sequence[float] | None = None,
        seed: int = 0,
        missing_masks: Literal['error', 'unlabelled', 'skip'] = 'error',
        colors: Mapping[str, Colour | Sequence[Colour]] | None = None,
        label_map: Mapping[int | str, str] | None = None,
        **kwargs: Any,
    ) -> None:
        check_classes(classes)
        if masks is None and not kwargs.get('test_mode'):
            raise ValueError(
                'FolderDataset has no masks to learn from or to test with. Give masks=DIR; for '
                'images to predict give test_mode=True; images without masks for distillation go '
                'in WithUnlabelled.'
            )
        if missing_masks not in MISSING_MASKS:
            raise ValueError(
                f'missing_masks is {missing_masks!r}, expected one of {MISSING_MASKS}.'
            )
        self._split, self._shares, self._seed = split, shares, seed
        self._missing_masks = missing_masks
        self._map_of_values = map_of_values(classes, colors, label_map)
        metainfo = {'classes': tuple(classes)}
        if colors and set(classes) <= set(colors):
            metainfo['palette'] = [list(colours_of(colors[name])[0]) for name in classes]
        folders = {'img_path': images, **({'seg_map_path': masks} if masks else {})}
        names = split if split and split.endswith('.txt') else ''
        super().__init__(metainfo=metainfo, data_prefix=folders, ann_file=names, **kwargs)
        if self.label_map:  # goes into checkpoints, which are read without classes of their own
            self._metainfo['label_map'] = dict(self.label_map)

    def get_label_map(self, _new_classes: Sequence[str] | None = None) -> CompleteMap | None:
        """The class id of each value in the masks; None where the values are the class ids."""
        return self._map_of_values

    def load_data_list(self) -> list[dict]:
        images = self._files('img_path')
        masks = self._files('seg_map_path') if 'seg_map_path' in self.data_prefix else None
        names = self._names(images)
        if masks and self._missing_masks == 'skip':
            names = [name for name in names if name in masks] or names
        check_pairs(names, images, masks, all_masked=self._missing_masks == 'error')
        return [self._sample(images[name], masks and masks.get(name)) for name in names]

    def _files(self, kind: str) -> dict[str, Path]:
        by_folder = self._split and not self._shares and not self.ann_file
        return files_by_stem(Path(self.data_prefix[kind], self._split if by_folder else ''))

    def _names(self, images: Iterable[str]) -> list[str]:
        """The names of the split."""
        if self.ann_file:
            return read_names(Path(self.ann_file))
        if self._shares:
            return in_part([*images], self._split, self._shares, self._seed)
        return [*images]

    def _sample(self, image: Path, mask: Path | None) -> dict:
        sample = {
            'img_path': str(image),
            'label_map': self.label_map,
            'reduce_zero_label': self.reduce_zero_label,
            'seg_fields': [],
        }
        if mask:
            return {**sample, 'seg_map_path': str(mask)}
        # For LoadCheckedAnnotations; images to predict have no mask of any kind.
        return {**sample, 'unlabelled': True} if self._missing_masks == 'unlabelled' else sample
