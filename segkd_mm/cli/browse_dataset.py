"""Draw samples of a data set as the pipeline of a config makes them, augmented and with masks.

Examples:
  tools/browse_dataset.py configs/kd/feature_kd_voc.py --cfg-options data_root=/data/VOC2012
  tools/browse_dataset.py configs/student/mnv3s_slim_camvid.py --split val --count 50

Each picture shows the image, its mask and both together, with a legend of the classes in it; void
and images without labels have colours of their own. The samples are spread evenly over the data
set. Augmentation is random, so that each call gives other pictures of a training set.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from mmseg.structures import SegDataSample
from rich.progress import track
from torch import Tensor
from torch.utils.data import Dataset

from segkd_mm.build_hints import build_hints
from segkd_mm.cli import arguments
from segkd_mm.config import load_config
from segkd_mm.doctor.experiment import Experiment, evenly_spaced
from segkd_mm.labels import UNLABELLED
from segkd_mm.normalisation import CHANNELS
from segkd_mm.visualize.band_pictures import picture_of_bands
from segkd_mm.visualize.overlays import WIDE_COLUMN, image_grid, overlay

UNLABELLED_COLOUR = (203, 217, 243)  # pale blue, which no palette here has


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = arguments.parser(__doc__)
    arguments.add_config(parser)
    parser.add_argument(
        '--split', choices=['train', 'val', 'test'], default='train', help='default: train'
    )
    parser.add_argument('--count', type=int, default=20, help='number of samples (default: 20)')
    parser.add_argument(
        '--out', type=Path, metavar='DIR',
        help='folder of the pictures (default: work_dirs/CONFIG_NAME/samples_SPLIT)',
    )  # fmt: skip
    arguments.add_cfg_options(parser)
    args = parser.parse_args()
    if args.count < 1:
        parser.error(f'--count is {args.count}, expected at least 1')
    args.out = args.out or Path('work_dirs', Path(args.config).stem, f'samples_{args.split}')
    return args


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


@build_hints()
def main() -> None:
    """Run the command line."""
    args = parse_args()
    dataset = Experiment(load_config(args.config, args.cfg_options)).dataset(args.split)
    indices = evenly_spaced(len(dataset), args.count)
    for index in track(indices, f'Drawing samples of {args.split}'):
        draw_sample(dataset, index, args.out)
    print(
        f'Done. {len(indices)} of {len(dataset)} samples of {args.split}: {args.out}\n'
        f'Check data and model: python tools/doctor.py {args.config}\n'
        f'Train:                python tools/train.py {args.config}'
    )
