"""Images of a data set or of files, loaded through a config's test pipeline."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from mmcv.image import imread, imresize
from mmengine.config import Config
from mmengine.dataset import ConcatDataset
from mmengine.structures import PixelData
from mmseg.registry import DATASETS
from torch import Tensor, nn
from torch.utils.data import Subset

from segkd_mm.config import base_configs, first_test_dataset, image_pipeline
from segkd_mm.datasets.bands import LoadBands
from segkd_mm.datasets.image_dataset import ImageFiles
from segkd_mm.image_files import SUFFIXES, images_in
from segkd_mm.normalisation import CHANNELS

ANIMATION = '.gif'  # of which OpenCV would read the first frame


def find_images(paths: Iterable[str], out: Path | None = None) -> list[Path]:
    """List the image files among paths and in folders, each once.

    Args:
        paths: Files and folders.
        out: Output folder of an earlier run, whose pictures are left out.

    Raises:
        FileNotFoundError: A path does not exist, or there is no image.
        ValueError: A path is an animation, or what has the name of an image is no file.
    """
    places = [Path(os.path.abspath(path)) for path in paths]
    images = list(dict.fromkeys(image for place in places for image in _images_at(place, out)))
    if not images:
        raise FileNotFoundError(
            f'No images in {", ".join(map(str, places))}; expected files that end in {SUFFIXES}.'
        )
    return images


def images_of_files(config: Config, files: Sequence[Path]) -> Subset:
    """Image files through the config's test pipeline, without masks."""
    images = ImageFiles(files, image_pipeline(config))
    return Subset(images, range(len(images)))


def images_of_split(config: Config, split: str, count: int, seed: int | None = None) -> Subset:
    """Labelled images of a split through the config's test pipeline, with their masks.

    Data sets inside wrappers are used; images without labels are left out.

    Args:
        config: A config with ``{split}_dataloader``.
        split: 'train', 'val' or 'test'.
        count: Maximal number of images.
        seed: Seed of a random choice; if None, the images are evenly spaced.
    """
    pipeline = first_test_dataset(config).pipeline
    bases = base_configs(config[f'{split}_dataloader'].dataset)
    dataset = ConcatDataset([DATASETS.build({**base, 'pipeline': pipeline}) for base in bases])
    count = min(count, len(dataset))
    if seed is None:
        chosen = np.linspace(0, len(dataset) - 1, count).astype(int)
    else:
        chosen = np.sort(np.random.default_rng(seed).permutation(len(dataset))[:count])
    return Subset(dataset, chosen.tolist())


def select_images(
    config: Config, paths: Sequence[str], split: str, count: int, seed: int | None = None
) -> Subset:
    """The images at ``paths``; without paths, some of a split (see :func:`images_of_split`)."""
    if paths:
        return images_of_files(config, find_images(paths))
    return images_of_split(config, split, count, seed)


def image_paths(images: Subset) -> list[str]:
    """Paths of the images of :func:`images_of_files` or :func:`images_of_split`."""
    return [images.dataset.get_data_info(index)['img_path'] for index in images.indices]


def benchmark_batch(
    path: str | None, size: tuple[int, int], count: int = 1, channels: int = CHANNELS
) -> Tensor:
    """A batch for measurements: ``count`` copies of a resized image, or noise if path is None.

    Args:
        path: The image file.
        size: Height and width, H and W.
        count: Number of images in the batch.
        channels: Number of channels.

    Returns:
        uint8 [count, 3, H, W], BGR; of another number of channels the bands of the image, float32.
    """
    height, width = size
    if path is None:
        noise = torch.Generator().manual_seed(0)
        return torch.randint(0, 256, (count, channels, *size), dtype=torch.uint8, generator=noise)
    is_colour = channels == CHANNELS
    pixels = imread(path) if is_colour else LoadBands(channels)({'img_path': path})['img']
    image = imresize(pixels, (width, height)).reshape(height, width, channels)
    return torch.from_numpy(image).permute(2, 0, 1).repeat(count, 1, 1, 1)


def model_input(sample: dict, preprocessor: nn.Module, image_in: bool) -> Tensor:
    """Model input [1, C, H, W] of a sample: the image, uint8 or float32; or normalised float32."""
    if image_in:
        return pixels_as_input(sample['inputs'])[None]
    batch = {'inputs': [sample['inputs']], 'data_samples': [sample['data_samples']]}
    return preprocessor(batch, False)['inputs']


def at_size(sample: dict, size: Sequence[int]) -> dict:
    """A sample whose image, and mask if any, is resized, for a model of images of one size."""
    image, about = sample['inputs'], sample['data_samples'].clone()
    resized = F.interpolate(image[None].float(), size, mode='bilinear', antialias=True)[0]
    if 'gt_sem_seg' in about:
        mask = about.gt_sem_seg.data
        about.gt_sem_seg = PixelData(data=F.interpolate(mask[None].float(), size)[0].to(mask))
    about.set_metainfo(dict(img_shape=tuple(size), ori_shape=tuple(size)))
    return {'inputs': resized.round().to(image), 'data_samples': about}


def pixels_as_input(image: Tensor) -> Tensor:
    """The pixels of an image as a model takes them: uint8, or float32 if they have more bits."""
    return image if image.dtype == torch.uint8 else image.float()


class ModelInputs(Sequence):
    """Sequence of the :func:`model_input` arrays of images.

    Args:
        images: From :func:`images_of_files` or :func:`images_of_split`.
        preprocessor: The model's data preprocessor.
        image_in: Whether the model takes images as they are loaded.
        size: Height and width that the images are resized to, if any.
    """

    def __init__(
        self,
        images: Subset,
        preprocessor: nn.Module,
        image_in: bool,
        size: Sequence[int] | None = None,
    ) -> None:
        self.images, self.size = images, size
        self.preprocessor = preprocessor
        self.image_in = image_in

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, number: int) -> np.ndarray:
        if number >= len(self):
            raise IndexError(number)
        sample = self.images[number]
        sample = at_size(sample, self.size) if self.size else sample
        return model_input(sample, self.preprocessor, self.image_in).numpy()


def _images_at(place: Path, out: Path | None) -> list[Path]:
    """A file itself, or the image files below a folder, without those below ``out``."""
    if place.suffix.lower() == ANIMATION:
        raise ValueError(
            f'{place}: found an animation, expected an image. Save its frames as .png, or all '
            'of it as .mp4.'
        )
    if place.is_file():
        return [place]
    if not place.is_dir():
        raise FileNotFoundError(f'{place} does not exist; expected an image or a folder of images.')
    return images_in(place, without=out if out and place in out.parents else None)
