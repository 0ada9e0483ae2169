"""Images, of a config's data or of anywhere, as a model sees them when it is tested."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import torch
from mmcv.image import imread, imresize
from mmengine.config import Config
from mmengine.dataset import BaseDataset, ConcatDataset
from mmseg.registry import DATASETS
from torch import Tensor, nn
from torch.utils.data import Subset

from segkd_mm.datasets.checked_samples import NamedImageErrors
from segkd_mm.datasets.wrapped import base_configs
from segkd_mm.image_files import SUFFIXES, images_in


def find_images(paths: Iterable[str], out: Path | None = None) -> list[Path]:
    """The images that the paths name and those in folders that they name, each once.

    Args:
        paths: Files and folders.
        out: A folder of pictures of an earlier run, which are left out.

    Raises:
        FileNotFoundError: a path does not exist, or there is no image.
    """
    places = [Path(os.path.abspath(path)) for path in paths]
    images = list(dict.fromkeys(image for place in places for image in _images_at(place, out)))
    if not images:
        raise FileNotFoundError(
            f'No images in {", ".join(map(str, places))}; expected files that end in {SUFFIXES}'
        )
    return images


def of_files(config: Config, files: Sequence[Path]) -> Subset:
    """Images through the config's test pipeline, without truth."""
    steps = config.test_dataloader.dataset.pipeline
    images = _Files(files, [step for step in steps if 'Annotations' not in step['type']])
    return Subset(images, range(len(images)))


def of_split(config: Config, split: str, count: int, seed: int | None = None) -> Subset:
    """Images of a split with their truth, through the config's test pipeline.

    Wrapped data sets are looked into; images without labels beside them are left out.

    Args:
        config: With ``{split}_dataloader``.
        split: 'train', 'val' or 'test'.
        count: At most so many.
        seed: Of a random choice; without, they lie evenly in the split.
    """
    pipeline = config.test_dataloader.dataset.pipeline
    bases = base_configs(config[f'{split}_dataloader'].dataset)
    whole = ConcatDataset([DATASETS.build({**base, 'pipeline': pipeline}) for base in bases])
    count = min(count, len(whole))
    if seed is None:
        chosen = np.linspace(0, len(whole) - 1, count).astype(int)
    else:
        chosen = np.sort(np.random.default_rng(seed).permutation(len(whole))[:count])
    return Subset(whole, chosen.tolist())


def select_images(
    config: Config, paths: Sequence[str], split: str, count: int, seed: int | None = None
) -> Subset:
    """The images at ``paths``; without paths, some of a split (see :func:`of_split`)."""
    return of_files(config, find_images(paths)) if paths else of_split(config, split, count, seed)


def paths_of(images: Subset) -> list[str]:
    """The files of images from :func:`of_files` or :func:`of_split`."""
    return [images.dataset.get_data_info(index)['img_path'] for index in images.indices]


def sized(path: str | None, size: tuple[int, int], count: int = 1) -> Tensor:
    """The image ``count`` times, resized to (height, width), to measure on; without one, noise.

    Returns:
        uint8 [count, 3, H, W], BGR.
    """
    height, width = size
    if path is None:
        noise = torch.Generator().manual_seed(0)
        return torch.randint(0, 256, (count, 3, *size), dtype=torch.uint8, generator=noise)
    image = torch.from_numpy(imresize(imread(path), (width, height)))
    return image.permute(2, 0, 1).repeat(count, 1, 1, 1)


def input_of(sample: dict, preprocessor: nn.Module, image_in: bool) -> Tensor:
    """What a model takes of a sample, [1, 3, H, W]: the image, uint8, or normalised, float32."""
    if image_in:
        return sample['inputs'][None]
    batch = {'inputs': [sample['inputs']], 'data_samples': [sample['data_samples']]}
    return preprocessor(batch, False)['inputs']


class Inputs(Sequence):
    """What a model takes of each image, as of :func:`input_of`, as an array.

    Args:
        images: From :func:`of_files` or :func:`of_split`.
        preprocessor: The model's.
        image_in: Whether it takes images as they are.
    """

    def __init__(self, images: Subset, preprocessor: nn.Module, image_in: bool) -> None:
        self.images = images
        self.preprocessor = preprocessor
        self.image_in = image_in

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, number: int) -> np.ndarray:
        if number >= len(self):
            raise IndexError(number)
        return input_of(self.images[number], self.preprocessor, self.image_in).numpy()


class _Files(NamedImageErrors, BaseDataset):
    def __init__(self, files: Sequence[Path], pipeline: Sequence[dict]) -> None:
        self._files = files
        super().__init__(pipeline=pipeline)

    def load_data_list(self) -> list[dict]:
        return [{'img_path': str(file), 'seg_fields': []} for file in self._files]


def _images_at(place: Path, out: Path | None) -> list[Path]:
    """The image itself, or all below the folder; pictures of an earlier run are none."""
    if place.is_file():
        return [place]
    if not place.is_dir():
        raise FileNotFoundError(f'{place} does not exist; expected an image or a folder of images')
    earlier = out if out and place in out.parents else None
    return [file for file in images_in(place) if earlier not in file.parents]
