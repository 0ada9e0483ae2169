"""Build a teacher cache: run the teacher once on each whole training image, store its maps."""

import logging
from argparse import Namespace
from collections.abc import Mapping, Sequence
from math import isnan
from time import perf_counter

import numpy as np
from rich.progress import track

from segkd_mm.commands import command
from segkd_mm.config import load_config
from segkd_mm.evaluation import mean_iou
from segkd_mm.whole_image.builder import TeacherCacheBuilder
from segkd_mm.whole_image.packing import Storage

CROPS = 100


def storage(builder: TeacherCacheBuilder, built: Sequence[dict], args: Namespace) -> dict:
    """How to store each tap: as in the finished shards, or the smallest way within the error."""
    if built:
        return {tap: Storage(**stored) for tap, stored in built[0]['taps'].items()}
    chosen = builder.choose_storage(args.max_kl, args.max_error)
    for tap, choice in chosen.items():
        error = 'KL divergence, in nats' if choice.is_logits else 'relative error'
        print(f'{tap}: stored as {way(choice.storage)}; mean {error}: {choice.error:.1e}.')
    return {tap: choice.storage for tap, choice in chosen.items()}


def way(stored: Storage) -> str:
    """A packing in words."""
    if isinstance(stored.packing, int):
        return f'the {stored.packing} largest logits and the rest'
    return f'{stored.packing}, all {stored.channels} channels'


def run(args: Namespace) -> None:
    """Run the command."""
    logging.disable(logging.WARNING)  # mmengine writes a page on how each weight was made
    builder = TeacherCacheBuilder(load_config(args.config, args.cfg_options), args.device)
    found = {shard: builder.metadata(shard) for shard in builder.shards()}
    absent = [shard for shard, metadata in found.items() if metadata is None]
    count = sum(map(len, absent))
    if count < len(builder.images):
        print(f'{len(builder.images) - count} of {len(builder.images)} images are there already.')
    number, parts = args.part
    if own := [shard for shard in [*found][number - 1 :: parts] if found[shard] is None]:
        taps = storage(builder, [*filter(None, found.values())], args)
        build(builder, own, taps, args.workers)
    left = sum(builder.metadata(shard) is None for shard in absent if shard not in own)
    if left:
        print(f'Part {number} of {parts} is there; other parts have {left} shards to build.')
        return
    report(builder, args.config)


def build(
    builder: TeacherCacheBuilder,
    shards: Sequence[range],
    taps: Mapping[str, Storage],
    workers: int,
) -> None:
    """Build shards with a progress bar; print the speed."""
    start, count = perf_counter(), sum(map(len, shards))
    for _ in track(builder.build(shards, taps, workers), 'images', count):
        pass
    print(f'{count / (perf_counter() - start):.1f} images a second.')


def report(builder: TeacherCacheBuilder, config: str) -> None:
    """Complete the cache; print its size, the teacher's scores and what to run next."""
    index = builder.finish()
    seen = mean_iou(np.array(index['confusion']))
    print(f'{builder.folder}: {len(builder.images)} images, {builder.size() / 2**20:.1f} MiB.')
    crops = seen if isnan(seen) else mean_iou(builder.confusion_on_crops(CROPS))
    if isnan(crops):
        print(
            "The teacher's mIoU is not known: no term of the config compares its logits by class."
        )
    else:
        print(f'mIoU of the teacher on training images: {seen:.1f} in this view; {crops:.1f} when '
              f'it is shown training crops (up to {CROPS} of them).')  # fmt: skip
    print(f'Next: {command("train")} {config}')
