"""How fast training samples are made: by mmseg's transforms and by the light pipeline.

Examples:
  python benchmarks/loader.py
  python benchmarks/loader.py --data-root data/VOCdevkit/VOC2012 --crops 512 256

The pipelines make the same samples, turn by turn in one process on one core, so that a busy
machine slows all alike; each is timed with and without the check of masks, and the light one also
with its images and masks kept in memory (load_cached). Each image is read ten times, as in the
shortest training that `segkd new` writes: the check looks for an EXIF orientation, and the cached
one decodes, at the first. At ratio 1 the shorter side of an image is that of the crop, as in
mmseg's configs. The time is the processor's, so that reading from a cold disk does not count. The
result has in `ratios`, by crop, how many times more images/s the light pipeline makes, checked,
than mmseg's, unchecked; and in `check_percent` what the check adds to the time of each pipeline.
"""

import argparse
from pathlib import Path
from time import process_time

import cv2
import torch
from mmengine.config import Config
from mmengine.dataset import BaseDataset
from mmengine.registry import init_default_scope
from mmseg.registry import DATASETS
from rich.progress import track

import segkd_mm  # noqa: F401  registers the components
from segkd_mm.config import config_dir
from segkd_mm.datasets import ReplayIndex
from segkd_mm.results.files import write_result
from segkd_mm.results.tables import console_table, wide_console

MMSEG, LIGHT, CACHED = "mmseg's", 'light', 'light and cached'
UNCHECKED = ', unchecked'
KEPT = {'LoadImageFromFile': 'LoadCachedImage', 'LoadCheckedAnnotations': 'LoadCachedAnnotations'}
WARMUP = 5
READS = 10  # of each image: the fewest epochs that `segkd new` writes


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--data-root', help='folder of VOC 2012 (default: makes shapes)')
    parser.add_argument('--crops', nargs='+', type=int, default=[512, 256], metavar='SIDE',
                        help='sides of the square crops (default: 512 256)')  # fmt: skip
    parser.add_argument(
        '--images', type=int, default=1000, help='of each pipeline and crop (default: 1000)'
    )
    parser.add_argument(
        '--out', default='work_dirs/loader.json', metavar='JSON', help='default: %(default)s'
    )
    return parser.parse_args()


def data_sets(data_root: str | None, crop: int, images: int) -> dict[str, BaseDataset]:
    """The training data through either pipeline, with and without the check of masks."""
    name = 'voc' if data_root else 'shapes'
    config = Config.fromfile(Path(config_dir(), '_base_', 'datasets', f'{name}.py'))
    config.train_dataloader.dataset.data_root = data_root or config.data_root
    for step in [*config.train_pipeline, *config.light_pipeline]:
        if 'scale' in step:
            step.update(scale=(4 * crop, crop), ratio_range=(0.5, 2.0))
        if 'crop_size' in step:
            step.crop_size = (crop, crop)
    dataset = {**config.train_dataloader.dataset, 'indices': images // READS}
    pipelines = {MMSEG: config.train_pipeline, LIGHT: config.light_pipeline}
    pipelines |= {
        name + UNCHECKED: replaced(steps, {'LoadCheckedAnnotations': 'LoadAnnotations'})
        for name, steps in pipelines.items()
    }
    pipelines[CACHED] = replaced(config.light_pipeline, KEPT)
    return {
        name: DATASETS.build({**dataset, 'pipeline': pipeline})
        for name, pipeline in pipelines.items()
    }


def replaced(pipeline: list[dict], loaders: dict[str, str]) -> list[dict]:
    """The pipeline with other loaders in the place of its own."""
    return [{**step, 'type': loaders.get(step['type'], step['type'])} for step in pipeline]


def images_per_second(datasets: dict[str, BaseDataset], images: int, crop: int) -> dict[str, float]:
    """Samples of the processor's second, by name."""
    spent = dict.fromkeys(datasets, 0.0)
    for number in track(range(-WARMUP, images), f'measuring at {crop} x {crop}', transient=True):
        for name, dataset in datasets.items():
            start = process_time()
            dataset[ReplayIndex(number % len(dataset), (0, 0, number % images))]
            spent[name] += process_time() - start if number >= 0 else 0
    return {name: images / seconds for name, seconds in spent.items()}


def row(crop: int, speed: dict[str, float]) -> dict:
    """A row of the table: images/s of mmseg's own pipeline, and of the light ones, checked."""
    mmseg = speed[MMSEG + UNCHECKED]
    cells = {'crop': f'{crop}x{crop}', f'{MMSEG}, images/s': mmseg}
    for name in (LIGHT, CACHED):
        cells |= {f'{name}, images/s': speed[name], f'{name}, x': speed[name] / mmseg}
    return cells


def check_cost(speed: dict[str, float]) -> dict[str, float]:
    """What the check adds to the time of a sample in percent, by pipeline."""
    return {name: 100 * (speed[name + UNCHECKED] / speed[name] - 1) for name in (MMSEG, LIGHT)}


def main() -> None:
    """Run the command line."""
    args = parse_args()
    init_default_scope('mmseg')
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    speeds = {
        crop: images_per_second(data_sets(args.data_root, crop, args.images), args.images, crop)
        for crop in args.crops
    }
    table = [row(crop, speed) for crop, speed in speeds.items()]
    ratios = {cells['crop']: cells[f'{LIGHT}, x'] for cells in table}
    check_percent = {f'{crop}x{crop}': check_cost(speed) for crop, speed in speeds.items()}
    setting = {'data': args.data_root or 'shapes', 'images': args.images, 'threads': 1}
    result = {'ratios': ratios, 'check_percent': check_percent, 'table': table}
    write_result(args.out, {**setting, **result})
    wide_console().print(console_table(table, title='Training samples, one core'))
    for crop, costs in check_percent.items():
        cost = ', '.join(f'{value:.1f} % of {name}' for name, value in costs.items())
        print(f'The check of masks at {crop} adds {cost}.')
    print(f'Result: {args.out}')


if __name__ == '__main__':
    main()
