"""Photos, of a config's data or of anywhere, as a model sees them when it is tested."""

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from mmcv.image import imread, imresize
from mmengine.config import Config
from mmengine.dataset import BaseDataset, ConcatDataset
from mmseg.registry import DATASETS
from torch import Tensor, nn
from torch.utils.data import Subset
from torchvision.datasets.folder import IMG_EXTENSIONS, is_image_file


def find_photos(paths: Iterable[str], out: Path | None = None) -> list[Path]:
    """The photos that the paths name and those in folders that they name, each once.

    Args:
        paths: Files and folders.
        out: A folder of pictures of an earlier run, which are left out.

    Raises:
        FileNotFoundError: a path does not exist, or there is no photo.
    """
    places = [Path(os.path.abspath(path)) for path in paths]
    photos = list(dict.fromkeys(photo for place in places for photo in _photos_at(place, out)))
    if not photos:
        raise FileNotFoundError(
            f'No photos in {", ".join(map(str, places))}; expected files that end in '
            f'{", ".join(IMG_EXTENSIONS)}'
        )
    return photos


def of_files(config: Config, files: Sequence[Path]) -> Subset:
    """Photos through the config's test pipeline, without truth."""
    steps = config.test_dataloader.dataset.pipeline
    photos = _Files(files, [step for step in steps if 'Annotations' not in step['type']])
    return Subset(photos, range(len(photos)))


def of_split(config: Config, split: str, count: int, seed: int | None = None) -> Subset:
    """Photos of a split with their truth, through the config's test pipeline.

    Wrapped data sets are looked into; photos without labels beside them are left out.

    Args:
        config: With ``{split}_dataloader``.
        split: 'train', 'val' or 'test'.
        count: At most so many.
        seed: Of a random choice; without, they lie evenly in the split.
    """
    pipeline = config.test_dataloader.dataset.pipeline
    leaves = _leaves(config[f'{split}_dataloader'].dataset)
    whole = ConcatDataset([DATASETS.build({**leaf, 'pipeline': pipeline}) for leaf in leaves])
    count = min(count, len(whole))
    if seed is None:
        chosen = np.linspace(0, len(whole) - 1, count).astype(int)
    else:
        chosen = np.sort(np.random.default_rng(seed).permutation(len(whole))[:count])
    return Subset(whole, chosen.tolist())


def paths_of(photos: Subset) -> list[str]:
    """The files of photos from :func:`of_files` or :func:`of_split`."""
    return [photos.dataset.get_data_info(index)['img_path'] for index in photos.indices]


def sized(path: str | None, size: tuple[int, int], count: int = 1) -> Tensor:
    """The photo ``count`` times, resized to (height, width), to measure on; without one, noise.

    Returns:
        uint8 [count, 3, H, W], BGR.
    """
    height, width = size
    if path is None:
        noise = torch.Generator().manual_seed(0)
        return torch.randint(0, 256, (count, 3, *size), dtype=torch.uint8, generator=noise)
    photo = torch.from_numpy(imresize(imread(path), (width, height)))
    return photo.permute(2, 0, 1).repeat(count, 1, 1, 1)


def input_of(sample: dict, preprocessor: nn.Module, photo_in: bool) -> Tensor:
    """What a model takes of a sample, [1, 3, H, W]: the photo, uint8, or normalised, float32."""
    if photo_in:
        return sample['inputs'][None]
    batch = {'inputs': [sample['inputs']], 'data_samples': [sample['data_samples']]}
    return preprocessor(batch, False)['inputs']


class Inputs(Sequence):
    """What a model takes of each photo, as of :func:`input_of`, as an array.

    Args:
        photos: From :func:`of_files` or :func:`of_split`.
        preprocessor: The model's.
        photo_in: Whether it takes photos as they are.
    """

    def __init__(self, photos: Subset, preprocessor: nn.Module, photo_in: bool) -> None:
        self.photos = photos
        self.preprocessor = preprocessor
        self.photo_in = photo_in

    def __len__(self) -> int:
        return len(self.photos)

    def __getitem__(self, number: int) -> np.ndarray:
        if number >= len(self):
            raise IndexError(number)
        return input_of(self.photos[number], self.preprocessor, self.photo_in).numpy()


def _leaves(dataset: dict) -> Iterator[dict]:
    """The data sets with files that a data set's config is made of."""
    wrapped = [dataset[key] for key in ('dataset', 'labelled') if key in dataset]
    wrapped += dataset.get('datasets', [])
    for inner in wrapped:
        yield from _leaves(inner)
    if not wrapped:
        yield dataset


class _Files(BaseDataset):
    def __init__(self, files: Sequence[Path], pipeline: Sequence[dict]) -> None:
        self._files = files
        super().__init__(pipeline=pipeline)

    def load_data_list(self) -> list[dict]:
        return [{'img_path': str(file), 'seg_fields': []} for file in self._files]


def _photos_at(place: Path, out: Path | None) -> list[Path]:
    """The photo itself, or all below the folder; pictures of an earlier run are none."""
    if place.is_file():
        return [place]
    if not place.is_dir():
        raise FileNotFoundError(f'{place} does not exist; expected a photo or a folder of photos')
    earlier = out if out and place in out.parents else None
    return sorted(
        file
        for file in place.rglob('*')
        if is_image_file(file.name) and file.name[0] != '.' and earlier not in file.parents
    )
