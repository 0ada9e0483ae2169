"""What smaller images cost in accuracy, and save in time: exported files on resized images.

Example:
  python benchmarks/image_size.py CONFIG student.xml other.xml --factors 1 0.75 0.5 \
      --out results/benchmark/image_size.json

Every test image of the config is resized by each factor (mmcv's `Resize`), and its logits back to
its own size. The time is of an image of --size in memory, from its pixels to its label map of that
size: the resize counts. All files and factors are timed in turn, on one thread. The chart goes
beside the result file, as .png.
"""

from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Mapping, Sequence
from functools import partial
from itertools import product
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from rich.progress import track
from torch.utils.data import Subset

from segkd_mm.config import first_test_dataset, image_pipeline, load_config, plain_student
from segkd_mm.deploy import Predictor, RuntimeSegmentor
from segkd_mm.deploy.images import benchmark_batch, image_paths, images_of_split
from segkd_mm.deploy.loading import check_classes, class_names
from segkd_mm.evaluation.confusion import confusion_matrix
from segkd_mm.evaluation.scores import mean_iou
from segkd_mm.measure.latency import Latency, time_in_turn
from segkd_mm.results.files import write_result
from segkd_mm.results.tables import console_table, wide_console
from segkd_mm.visualize.style import chart


def parse_args() -> Namespace:
    """The arguments of the command."""
    parser = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    parser.add_argument('config', help='the config with the test data')
    parser.add_argument('files', nargs='+', help='files of tools/export.py')
    parser.add_argument('--factors', nargs='+', type=float, default=[1, 0.75, 0.5], metavar='F')
    parser.add_argument('--size', nargs=2, type=int, default=[512, 512], metavar=('H', 'W'))
    parser.add_argument('--image', help='the image that is timed (default: noise)')
    parser.add_argument('--num-images', type=int, help='test on so many images (default: all)')
    parser.add_argument('--repeats', type=int, default=30, help='default: %(default)s')
    parser.add_argument('--out', type=Path, required=True, help='the result file')
    return parser.parse_args()


def predictor_at(config: Config, file: str, factor: float) -> Predictor:
    """Predictor of a file, by the test pipeline of a config, of images resized by a factor."""
    segmentor, names = RuntimeSegmentor(file), class_names(config)
    check_classes(segmentor.runtime, names['classes'])
    loader, *others = image_pipeline(config)
    resize = dict(type='Resize', scale_factor=factor, keep_ratio=True)
    steps = [loader, *([resize] if factor != 1 else []), *others]
    return Predictor(segmentor, steps, names['classes'], names['palette'])


def miou_of(predictor: Predictor, images: Subset, about: str) -> float:
    """mIoU in percent on labelled images."""
    classes = len(predictor.classes)
    total = torch.zeros(classes, classes, dtype=torch.int64)
    numbers = zip(images, image_paths(images), strict=True)
    for sample, path in track(numbers, about, total=len(images)):
        mask = sample['data_samples'].gt_sem_seg.data[0]
        total += confusion_matrix(torch.from_numpy(predictor.predict(path)), mask, classes)
    return mean_iou(total.numpy())


def times_of(predictors: Mapping[tuple, Predictor], args: Namespace) -> dict[tuple, Latency]:
    """Times of label maps of one image, in turn."""
    image = benchmark_batch(args.image, tuple(args.size))[0].permute(1, 2, 0).numpy()
    runs = {key: partial(one.predict, image) for key, one in predictors.items()}
    seconds = time_in_turn(runs, torch.device('cpu'), repeats=args.repeats, seconds=600)
    return {key: Latency.from_seconds(taken, 1) for key, taken in seconds.items()}


def draw(path: Path, rows: Sequence[Mapping], title: str) -> None:
    """mIoU over time, a line for each file."""
    with chart(path, 7.5, 4.5) as figure:
        axes = figure.add_subplot(title=title, xlabel='ms to the label map', ylabel='mIoU (%)')
        for file in dict.fromkeys(row['file'] for row in rows):
            own = [row for row in rows if row['file'] == file]
            at = [row['ms'] for row in own], [row['mIoU'] for row in own]
            axes.plot(*at, marker='o', label=file)
            for row, *point in zip(own, *at, strict=True):
                label = f'x {row["factor"]:g}'
                axes.annotate(label, point, xytext=(5, -12), textcoords='offset points')
        axes.margins(0.12)
        axes.legend()


def main() -> None:
    """Run the benchmark."""
    args = parse_args()
    torch.set_num_threads(1)
    init_default_scope('mmseg')
    config = plain_student(load_config(args.config))
    images = images_of_split(config, 'test', args.num_images or 10**9)
    cells = product(args.files, args.factors)
    predictors = {cell: predictor_at(config, *cell) for cell in cells}
    scores = {
        (file, factor): miou_of(one, images, f'{Path(file).name} x {factor:g}')
        for (file, factor), one in predictors.items()
    }
    times = times_of(predictors, args)
    base = times[args.files[-1], args.factors[0]].median_ms
    table = [
        {
            'file': Path(file).name,
            'factor': factor,
            'mIoU': scores[file, factor],
            'ms': time.median_ms,
            'x': base / time.median_ms,
        }
        for (file, factor), time in times.items()
    ]
    data = f'{first_test_dataset(config).type.removesuffix("Dataset")}, {len(images)} images'
    height, width = args.size
    title = f'{data}; time of an image of {width} x {height}'
    write_result(args.out, {'images': len(images), 'size': args.size, 'table': table})
    draw(args.out.with_suffix('.png'), table, title)
    wide_console().print(console_table(table, title=title))
    print(f'Result: {args.out}\nChart: {args.out.with_suffix(".png")}')


if __name__ == '__main__':
    main()
