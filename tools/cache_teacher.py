"""Let a teacher look at the whole of each training photo, once, and keep what it says.

Examples:
  tools/cache_teacher.py configs/kd/response_kd_cached_camvid.py --device cuda
  tools/cache_teacher.py my_config.py --cfg-options model.teacher.view.flip=True

The config has a CachedTeacher and, around its training data, a WithTeacherCache (docs:
teacher_cache.md). What is there already is kept, so that a run that was stopped goes on when it is
started again. At the end it says what the teacher can teach in its view of the photos, and what in
training crops.
"""

import argparse
import logging
from collections.abc import Sequence
from time import perf_counter

import numpy as np
from mmengine.config import DictAction
from rich.progress import track

from segkd_mm.caching import CacheMaker
from segkd_mm.config import load_config
from segkd_mm.doctor.accuracy import miou

CROPS = 100


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', help='config file, or a name of `python -m segkd_mm configs`')
    parser.add_argument('--device', default='cpu', help='cpu, cuda, ... (default: cpu)')
    parser.add_argument(
        '--workers', type=int, default=2, help='processes that read photos (default: 2)'
    )
    parser.add_argument(
        '--max-kl', type=float, default=1e-3, metavar='NATS',
        help='highest mean KL divergence of what is stored, the largest logits of a pixel and the '
        'mass of the others, from what the teacher says (default: 0.001)',
    )  # fmt: skip
    parser.add_argument(
        '--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE',
        help='override the config; data_root=DIR reaches every data set',
    )  # fmt: skip
    return parser.parse_args()


def packing(maker: CacheMaker, whole: Sequence[dict], max_kl: float) -> int | None:
    """The way to pack: that of the shards that are there, or one within the error."""
    if whole:
        return whole[0]['top']
    top, error = maker.measure(max_kl)
    way = 'all logits as float16' if top is None else f'the {top} largest logits and the rest'
    print(f'Stored: {way}; mean KL divergence from what the teacher says: {error:.1e} nats.')
    return top


def main() -> None:
    """Run the command line."""
    args = parse_args()
    logging.disable(logging.WARNING)  # mmengine writes a page on how each weight was made
    maker = CacheMaker(load_config(args.config, args.cfg_options), args.device)
    found = {shard: maker.whole(shard) for shard in maker.shards()}
    missing = [shard for shard, said in found.items() if said is None]
    count = sum(map(len, missing))
    if count < len(maker.photos):
        print(f'{len(maker.photos) - count} of {len(maker.photos)} photos are there already.')
    if missing:
        top = packing(maker, [*filter(None, found.values())], args.max_kl)
        start = perf_counter()
        for _ in track(maker.make(missing, top, args.workers), 'photos', count):
            pass
        print(f'{count / (perf_counter() - start):.1f} photos a second.')
    index = maker.finish()
    seen = miou(np.array(index['confusion']))
    print(f'{maker.folder}: {len(maker.photos)} photos, {maker.size() / 2**20:.1f} MiB.')
    if seen:
        crops = miou(maker.on_crops(CROPS))
        print(f'mIoU of the teacher on training photos: {seen:.1f} in this view; {crops:.1f} when '
              f'it is shown training crops (up to {CROPS} of them).')  # fmt: skip
    print(f'Next: python tools/train.py {args.config}')


if __name__ == '__main__':
    main()
