"""Build a teacher cache: run the teacher once on each whole training image, store its logits.

Examples:
  tools/cache_teacher.py configs/kd/response_kd_cached_camvid.py --device cuda
  tools/cache_teacher.py my_config.py --cfg-options model.teacher.view.flip=True

The config has a CachedTeacher and, around its training data, a WithTeacherCache (docs:
teacher_cache.md). Finished shards are kept, so that a run that was stopped continues when it is
started again. At the end it prints the teacher's mIoU on whole images and on training crops.
"""

import argparse
import logging
from collections.abc import Sequence
from math import isnan
from time import perf_counter

import numpy as np
from rich.progress import track

from segkd_mm.build_hints import build_hints
from segkd_mm.cli import arguments
from segkd_mm.config import load_config
from segkd_mm.evaluation import mean_iou
from segkd_mm.whole_image.builder import TeacherCacheBuilder

CROPS = 100


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = arguments.parser(__doc__)
    arguments.add_config(parser)
    arguments.add_device(parser)
    parser.add_argument(
        '--workers', type=int, default=2, help='processes that read images (default: 2)'
    )
    parser.add_argument(
        '--max-kl', type=float, default=1e-3, metavar='NATS',
        help='highest mean KL divergence of the stored distributions (the largest logits of a '
        "pixel and the sum of the others) from the teacher's (default: 0.001)",
    )  # fmt: skip
    arguments.add_cfg_options(parser)
    return parser.parse_args()


def packing(builder: TeacherCacheBuilder, built: Sequence[dict], max_kl: float) -> int | None:
    """How to pack the logits: as in the finished shards, or the smallest way within the error."""
    if built:
        return built[0]['top']
    top, error = builder.choose_top(max_kl)
    way = 'all logits as float16' if top is None else f'the {top} largest logits and the rest'
    print(f'Stored: {way}; mean KL divergence from the logits: {error:.1e} nats.')
    return top


@build_hints()
def main() -> None:
    """Run the command line."""
    args = parse_args()
    logging.disable(logging.WARNING)  # mmengine writes a page on how each weight was made
    builder = TeacherCacheBuilder(load_config(args.config, args.cfg_options), args.device)
    found = {shard: builder.metadata(shard) for shard in builder.shards()}
    missing = [shard for shard, metadata in found.items() if metadata is None]
    count = sum(map(len, missing))
    if count < len(builder.images):
        print(f'{len(builder.images) - count} of {len(builder.images)} images are there already.')
    if missing:
        top = packing(builder, [*filter(None, found.values())], args.max_kl)
        start = perf_counter()
        for _ in track(builder.build(missing, top, args.workers), 'images', count):
            pass
        print(f'{count / (perf_counter() - start):.1f} images a second.')
    index = builder.finish()
    seen = mean_iou(np.array(index['confusion']))
    print(f'{builder.folder}: {len(builder.images)} images, {builder.size() / 2**20:.1f} MiB.')
    if not isnan(seen):  # it knows the classes
        crops = mean_iou(builder.confusion_on_crops(CROPS))
        print(f'mIoU of the teacher on training images: {seen:.1f} in this view; {crops:.1f} when '
              f'it is shown training crops (up to {CROPS} of them).')  # fmt: skip
    print(f'Next: python tools/train.py {args.config}')
