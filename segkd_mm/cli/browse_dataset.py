"""Draw samples of a data set as the pipeline of a config makes them, augmented and with masks."""

from argparse import Namespace
from pathlib import Path

import numpy as np
import torch
from mmseg.structures import SegDataSample
from rich.progress import track
from torch import Tensor
from torch.utils.data import Dataset

from segkd_mm.commands import command
from segkd_mm.config import load_config
from segkd_mm.doctor.experiment import Experiment
from segkd_mm.evenly_spaced import evenly_spaced
from segkd_mm.labels import UNLABELLED
from segkd_mm.normalisation import CHANNELS
from segkd_mm.visualize.band_pictures import picture_of_bands
from segkd_mm.visualize.overlays import WIDE_COLUMN, image_grid, overlay

UNLABELLED_COLOUR = (203, 217, 243)  # pale blue, which no palette here has


def draw_sample(dataset: Dataset, index: int, folder: Path) -> None:
    """Write ``FOLDER/<index>_<name of the image>.png`` of a sample: image, mask, overlay."""
    sample = dataset[index]
    path = Path(sample['data_samples'].img_path)
    image = _picture(sample['inputs'])
    classes, palette = (list(dataset.metainfo[key]) for key in ('classes', 'palette'))
    mask = _mask(sample['data_samples'], len(classes))
    palette.append(UNLABELLED_COLOUR)
    image_grid(
        folder / f'{index:05}_{path.stem}.png',
        columns=[path.name, 'mask', 'overlay'],
        rows=[[image, mask, overlay(image, mask, palette)]],
        classes=[*classes, 'unlabelled'],
        palette=palette,
        column_width=WIDE_COLUMN,
    )


def _picture(image: Tensor) -> np.ndarray:
    """RGB [H, W, 3] of an image [C, H, W] of a data set."""
    if image.dtype == torch.uint8 and len(image) == CHANNELS:
        # Loaded as BGR; the preprocessor of the model makes it RGB.
        return image.flip(0).permute(1, 2, 0).numpy()
    return picture_of_bands(image.permute(1, 2, 0).numpy())


def _mask(sample: SegDataSample, unlabelled: int) -> np.ndarray:
    """Class ids [H, W] of a sample, with ``unlabelled`` in place of ``UNLABELLED``."""
    mask = sample.gt_sem_seg.data[0].numpy().astype(int)
    return np.where(mask == UNLABELLED, unlabelled, mask)


def run(args: Namespace) -> None:
    """Run the command."""
    dataset = Experiment(load_config(args.config, args.cfg_options)).dataset(args.split)
    indices = evenly_spaced(len(dataset), args.count)
    for index in track(indices, f'Drawing samples of {args.split}'):
        draw_sample(dataset, index, args.out)
    print(
        f'Done. {len(indices)} of {len(dataset)} samples of {args.split}: {args.out}\n'
        f'Check data and model: {command("doctor")} {args.config}\n'
        f'Train:                {command("train")} {args.config}'
    )
