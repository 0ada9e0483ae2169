"""How much faster labels come straight from low-resolution logits than by upsampling and argmax.

Example:
  python benchmarks/labels.py teacher/deeplabv3_mnv2_voc.py weights/deeplabv3_mnv2_voc.pth \\
      VOC2012/JPEGImages/2007_000[1-9]*.jpg --threads 1

Both ways are measured side by side in one run, in turn, so that a busy machine slows both alike: of
the model's logits for the images, of which `--size` / stride cells are had by enlarging the images,
and of noise, the worst case. With `--runtime` both are graphs in that runtime, as `--labels-out`
exports them: of all classes, and of those that can be a label. For more classes than the model has,
the logits are stacked with those of the other images and with mirrored ones, which makes more
boundaries than a model would. The
result file has the ratios of the median times in `ratios`.
"""

import argparse
from collections.abc import Callable
from functools import partial
from itertools import product
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import cv2
import torch
from mmcv.image import imread
from mmengine.device import get_device
from torch import Tensor, nn

from segkd_mm.config import load_config, plain_student
from segkd_mm.deploy import load_runtime, upsampled_label_map
from segkd_mm.deploy.export import SAVERS, to_onnx, to_program
from segkd_mm.deploy.graph_labels import graph_label_map, upsampling_and_argmax
from segkd_mm.deploy.loading import load_model
from segkd_mm.formats import SUFFIXES
from segkd_mm.measure.latency import time_in_turn
from segkd_mm.results.files import write_result
from segkd_mm.results.tables import console_table, wide_console

CLASSES = 21, 19, 150
STRIDES = 4, 8, 16


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', help='config file, or a name of `python -m segkd_mm configs`')
    parser.add_argument('checkpoint', help='its trained weights')
    parser.add_argument('images', nargs='+', metavar='IMAGE')
    parser.add_argument('--runtime', choices=('onnx', 'openvino'), help='(default: torch)')
    parser.add_argument('--classes', nargs='+', type=int, default=CLASSES, help='how many')
    parser.add_argument('--strides', nargs='+', type=int, default=STRIDES, help='of the logits')
    parser.add_argument('--size', type=int, default=512, help='of the labels (default: 512)')
    parser.add_argument(
        '--device', default='cpu', help='of the labels: cpu, cuda, ... (default: cpu)'
    )
    parser.add_argument('--threads', type=int, help="CPU threads (default: torch's choice)")
    parser.add_argument('--repeats', type=int, default=10, help='timed rounds (default: 10)')
    parser.add_argument(
        '--out', default='work_dirs/labels.json', metavar='JSON', help='default: %(default)s'
    )
    return parser.parse_args()


@torch.inference_mode()
def real_logits(model: nn.Module, image: str, cells: int) -> Tensor:
    """Logits [1, C, cells, cells] of an image, made square and as large as that takes."""
    pixels, side = imread(image), 512
    while True:
        square = torch.from_numpy(cv2.resize(pixels, (side, side))).permute(2, 0, 1)
        logits = model(model.data_preprocessor({'inputs': [square]})['inputs'])
        if logits.shape[-1] == cells:
            return logits.cpu()
        side = side * cells // logits.shape[-1]


def with_classes(images: list[Tensor], classes: int) -> list[Tensor]:
    """Logits of so many classes, for each image: its own first."""
    flips = [(), (2,), (3,), (2, 3)]
    return [
        torch.cat([p.flip(f) for f in flips for p in images[i:] + images[:i]], 1)[:, :classes]
        for i in range(len(images))
    ]


usual = partial(upsampling_and_argmax, align_corners=False)  # as mmseg does it
WAYS = {'usual': usual, 'fast': upsampled_label_map}


class Labels(nn.Module):
    """Labels of logits as a graph, which upsamples them ``stride`` times."""

    def __init__(self, way: Callable, stride: int) -> None:
        super().__init__()
        self.way, self.stride = way, stride

    def forward(self, images: Tensor) -> Tensor:
        """From logits, which are called images as in any exported file."""
        size = [self.stride * side for side in images.shape[2:]]
        return self.way(images, size).to(torch.uint8)


def in_runtime(logits: Tensor, args: argparse.Namespace) -> dict[str, Callable]:
    """Both ways as exported files."""
    runs, channels, stride = {}, logits.shape[1], args.size // logits.shape[2]
    about = dict(input='normalised', output='labels', precision='fp32', channels=channels)
    ways = {'usual': usual, 'fast': partial(graph_label_map, align_corners=False)}
    for name, way in ways.items():
        program = to_program(Labels(way, stride).eval(), torch.float32, channels)
        with TemporaryDirectory() as folder:
            file = Path(folder, f'labels{SUFFIXES[args.runtime]}')
            SAVERS[args.runtime](to_onnx(program, labels_out=True), file, about)
            runtime = load_runtime(file, torch.get_num_threads())
        runs[name] = lambda logits, size, runtime=runtime: runtime(logits)
    return runs


def each(label: Callable, maps: list[Tensor], size: tuple[int, int]) -> None:
    """Label one image after the other."""
    for logits in maps:
        label(logits, size)


@torch.inference_mode()
def measure(maps: list[Tensor], args: argparse.Namespace) -> dict[str, float]:
    """Median milliseconds an image of either way, and the share of pixels that they differ in."""
    size = args.size, args.size
    maps = [logits.to(args.device) for logits in maps]
    ways = in_runtime(maps[0], args) if args.runtime else WAYS
    runs = {name: partial(each, way, maps, size) for name, way in ways.items()}
    times = time_in_turn(runs, torch.device(args.device), warmup=2, repeats=args.repeats)
    ms = {f'{name} ms': 1000 * median(taken) / len(maps) for name, taken in times.items()}
    differ = [(ways['usual'](x, size) != ways['fast'](x, size)).float().mean() for x in maps]
    return {**ms, 'differ': float(sum(differ) / len(maps))}


def main() -> None:
    """Run the command line."""
    args = parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    config = plain_student(load_config(args.config))
    model = load_model(config, args.checkpoint, get_device())
    rows = []
    for stride in args.strides:
        cells = args.size // stride
        images = [real_logits(model, image, cells) for image in args.images]
        for classes, kind in product(args.classes, ('images', 'noise')):
            noise = [torch.randn(1, classes, cells, cells)]
            maps = with_classes(images, classes) if kind == 'images' else noise
            row = {'classes': classes, 'stride': stride, 'logits': kind, **measure(maps, args)}
            rows.append({**row, 'ratio': row['usual ms'] / row['fast ms']})
    report(args, rows)


def report(args: argparse.Namespace, rows: list[dict]) -> None:
    """Print the table, write the result file, and say where it is."""
    names = ['{classes} classes, stride {stride}, {logits}'.format(**row) for row in rows]
    ratios = {name: row['ratio'] for name, row in zip(names, rows, strict=True)}
    setting = {
        'config': args.config,
        'images': [Path(image).name for image in args.images],
        'size': [args.size, args.size],
        'device': args.device,
        'runtime': args.runtime or 'torch',
        'threads': torch.get_num_threads(),
    }
    write_result(args.out, {**setting, 'ratios': ratios, 'table': rows})
    where = args.runtime or args.device
    title = f'{args.size}x{args.size} in {where}, threads: {torch.get_num_threads()}'
    wide_console().print(console_table(rows, title=title))
    print(f'Result: {args.out}')


if __name__ == '__main__':
    main()
