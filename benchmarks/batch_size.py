"""Time of an image in batches of several sizes: whether a service would gain by them.

Example:
  python benchmarks/batch_size.py --out results/benchmark/batch_size.json

The time is from uint8 images to their label maps, divided by the number of images, on one thread.
Weights are random, as many as 19 classes.
"""

from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Callable
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from serve import RUNTIMES, export
from torch import Tensor

from segkd_mm.deploy import FastLabelMap, load_runtime
from segkd_mm.deploy.images import benchmark_batch
from segkd_mm.measure.latency import measure_latency
from segkd_mm.results.files import write_result
from segkd_mm.results.tables import console_table, wide_console

STUDENTS = 'mnv3s_nano', 'mnv3s_slim'


def parse_args() -> Namespace:
    """The arguments of the command."""
    parser = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    parser.add_argument('--sizes', nargs='+', type=int, default=[256, 512], help='sides, in pixels')
    parser.add_argument('--batches', nargs='+', type=int, default=[1, 2, 4, 8], metavar='N')
    parser.add_argument('--repeats', type=int, default=20, help='default: %(default)s')
    parser.add_argument('--out', type=Path, required=True, help='the result file')
    return parser.parse_args()


def first(count: int, labels_of: FastLabelMap) -> Callable[[Tensor], Tensor]:
    """Label maps of the first images of a batch."""
    return lambda images: labels_of(images[:count])


def row(student: str, runtime: str, size: int, args: Namespace) -> dict:
    """Milliseconds of an image by the size of its batch."""
    with TemporaryDirectory() as folder:
        labels_of = FastLabelMap.from_runtime(load_runtime(export(student, runtime, Path(folder))))
    images = benchmark_batch(None, (size, size), max(args.batches))
    runs = {f'batch {count} ms': first(count, labels_of) for count in args.batches}
    latencies = measure_latency(runs, images, warmup=2, repeats=args.repeats)
    per_image = zip(latencies.items(), args.batches, strict=True)
    times = {column: latency.median_ms / count for (column, latency), count in per_image}
    return {'student': student, 'runtime': runtime, 'size': size, **times}


def main() -> None:
    """Run the benchmark."""
    args = parse_args()
    torch.set_num_threads(1)
    settings = product(STUDENTS, RUNTIMES, args.sizes)
    table = [row(*setting, args) for setting in settings]
    write_result(args.out, {'repeats': args.repeats, 'table': table})
    wide_console().print(console_table(table, title='Time of an image'))
    print(f'Result: {args.out}')


if __name__ == '__main__':
    main()
