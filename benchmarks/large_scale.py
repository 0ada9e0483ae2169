"""What a training on many GPUs and images costs, measured on a small one: docs/large_scale.md.

Examples:
  python benchmarks/large_scale.py terms --out results/large_scale/terms.json
  python benchmarks/large_scale.py students --out results/large_scale/students.json
  python benchmarks/large_scale.py cache --out results/large_scale/cache.json
  python benchmarks/large_scale.py index --counts 10000 100000 1000000 \
      --out results/large_scale/index.json

``terms``: peak memory of each loss, of crops of 512 x 512, and what its parameters and queues add
to the gradients and to what the processes exchange. ``students``: bytes of gradients that are
summed over the processes in a step. ``cache``: bytes of a stored image. ``index``: the index of a
cache of made-up images and the start of a training with it; each count is a process of its own.
"""

import json
import os
import resource
import subprocess
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterable
from dataclasses import asdict
from inspect import signature
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from unittest.mock import patch

import torch
from mmengine.registry import init_default_scope
from mmseg.registry import MODELS
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

import segkd_mm  # noqa: F401  registers the components
from segkd_mm.config import config_dir, load_config
from segkd_mm.datasets.image_dataset import ImageFiles
from segkd_mm.losses.modules import memory
from segkd_mm.losses.modules.base import KDLoss
from segkd_mm.measure.model_cost import MIB, peak_allocation
from segkd_mm.results.files import write_result
from segkd_mm.results.tables import console_table, wide_console
from segkd_mm.whole_image.images import WholeImages
from segkd_mm.whole_image.packing import FLOAT16, Storage, pack
from segkd_mm.whole_image.store import INDEX, TeacherCache, fingerprint, names_of

CLASSES, CHANNELS = 21, 1024
SIDES = {'logits': 64, 'features': 32}  # of the maps of crops of 512 x 512, at strides 8 and 16
BATCHES = 4, 8


def main() -> None:
    """Measure what was asked for; print it and write it."""
    parser = ArgumentParser(description=__doc__.partition('\n')[0])
    parser.add_argument('what', choices=['terms', 'students', 'cache', 'index'])
    parser.add_argument('--counts', type=int, nargs='+', default=[10_000, 100_000])
    parser.add_argument('--out')
    args = parser.parse_args()
    init_default_scope('mmseg')
    rows = globals()[args.what](args)
    if args.out:
        wide_console().print(console_table(rows))
        write_result(args.out, {'table': rows})
    else:  # of one process of several
        print(json.dumps(rows))


def terms(_args: Namespace) -> list[dict]:
    """A row for each loss."""
    losses = {
        name: kind
        for name, kind in list(MODELS.module_dict.items())
        if isinstance(kind, type) and issubclass(kind, KDLoss)
    }
    return [term_row(name, kind) for name, kind in losses.items()]


def term_row(name: str, kind: type[KDLoss]) -> dict:
    """The costs of one loss with its defaults."""
    on = 'logits' if kind.min_classes or 'Jaccard' in name or 'PseudoLabel' in name else 'features'
    channels = CLASSES if on == 'logits' else CHANNELS
    known = signature(kind).parameters
    arguments = {'channels': channels, 'num_classes': CLASSES}
    loss = kind(**{key: value for key, value in arguments.items() if key in known})
    shape = channels, SIDES[on], SIDES[on]
    gathered: list[Tensor] = []
    peaks = [peak_of(loss, number, shape) for number in BATCHES]
    with patch.object(memory, 'all_gather', lambda x: gathered.append(x) or [x]):
        peak_of(loss, BATCHES[-1], shape)  # a step gathers pixels, regions and their masks
    return {
        'loss': name, 'on': on,
        **{f'peak MiB, {n} crops': peak / MIB for n, peak in zip(BATCHES, peaks, strict=True)},
        'MiB of gradients': sum(p.nbytes for p in loss.parameters()) / MIB,
        'MiB of queues': sum(b.nbytes for b in loss.buffers()) / MIB,
        f'MiB gathered from a process, {BATCHES[-1]} crops': sum(
            x.nbytes for x in gathered[-4:]
        ) / MIB,
    }  # fmt: skip


def peak_of(loss: KDLoss, images: int, shape: tuple[int, ...]) -> int:
    """Peak bytes of a forward and backward pass."""
    student = torch.randn(images, *shape, requires_grad=True)
    teacher, labels = torch.randn(images, *shape), torch.randint(0, CLASSES, (images, 512, 512))

    def step() -> None:
        loss(student, teacher, labels).backward()

    for _ in range(13 if [*loss.buffers()] else 0):  # until its queues have all the keys
        step()
    return peak_allocation(step, torch.device('cpu'))


def students(_args: Namespace) -> list[dict]:
    """A row for each student of the configs."""
    store = torch.distributed.HashStore()
    torch.distributed.init_process_group('gloo', store=store, rank=0, world_size=1)
    files = sorted((config_dir() / '_base_/students').glob('*.py'))
    return [{'student': file.stem, **gradients_of(file)} for file in files]


def gradients_of(file: Path) -> dict[str, float]:
    """MiB of gradients that DistributedDataParallel sums in a step of a student."""
    config = load_config(str(file)).student
    without_weights(config)
    sizes: list[int] = []
    model = DistributedDataParallel(Trained(MODELS.build(config)), find_unused_parameters=True)
    model.register_comm_hook(sizes, count_bytes)
    model(torch.randn(2, 3, 64, 64)).backward()
    return {'parameters': sum(p.numel() for p in model.parameters()), 'MiB': sum(sizes) / MIB}


class Trained(nn.Module):
    """A segmentor whose forward pass is a loss of its outputs."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> Tensor:
        features = self.model.extract_feat(images)
        heads = [self.model.decode_head, getattr(self.model, 'auxiliary_head', None)]
        lists = [head if isinstance(head, nn.ModuleList) else [head] for head in heads if head]
        return sum(head(features).mean() for each in lists for head in each)


def count_bytes(
    sizes: list[int], bucket: torch.distributed.GradBucket
) -> torch.futures.Future[Tensor]:
    """A communication hook that only notes how much there is to sum."""
    sizes.append(bucket.buffer().nbytes)
    future = torch.futures.Future()
    future.set_result(bucket.buffer())
    return future


def without_weights(config: dict) -> None:
    """Let the parts of a student start from random weights, so that nothing is downloaded."""
    for part in [config, *(value for value in config.values() if isinstance(value, dict))]:
        for key in ('weights', 'pretrained', 'init_cfg', 'checkpoint'):
            if part.get(key):
                part[key] = None


def cache(_args: Namespace) -> list[dict]:
    """A row for each way to store the logits of images of 512 x 1024 at stride 8."""
    rows = []
    for classes in (21, 150):
        for top in (FLOAT16, 1, 3, 8):
            stored = bytes_of_image(classes, top)
            way = 'all, float16' if top == FLOAT16 else f'the {top} largest'
            rows.append({
                'classes': classes, 'stored': way,
                'bytes an image': stored, 'bytes a pixel of the image': stored / (512 * 1024),
                'TB of 10 million': stored * 1e7 / 1e12,
            })  # fmt: skip
    return rows


def bytes_of_image(classes: int, top: int | str, images: int = 16) -> float:
    """Bytes of an image in a shard, the shard's header included."""
    packed = {
        f'folder/image_{n}.jpg{end}': x
        for n in range(images)
        for end, x in pack(torch.randn(classes, 64, 128), top).items()
    }
    with TemporaryDirectory() as folder:
        save_file(packed, Path(folder, 'shard'))
        return Path(folder, 'shard').stat().st_size / images


def index(args: Namespace) -> list[dict]:
    """A row for each count; without ``--out`` that of one count in this process."""
    if not args.out:
        return [index_row(args.counts[0])]
    rows = []
    for count in args.counts:
        words = [sys.executable, __file__, 'index', '--counts', str(count)]
        done = subprocess.run(words, check=True, capture_output=True, text=True)
        rows += json.loads(done.stdout.splitlines()[-1])
    return rows


def index_row(count: int) -> dict:
    """Size of an index, seconds of each step of a start with it, and growth of the process."""
    with TemporaryDirectory() as root:
        paths = make_images(Path(root), count)
        write_index(Path(root, 'cache'), paths)
        base, start = memory_now(), perf_counter()
        images = WholeImages(ImageFiles([Path(path) for path in paths], []))
        listed = perf_counter()
        store = TeacherCache(Path(root, 'cache'))
        read = perf_counter()
        store.check_images(images.paths, images.loader)
        checked = perf_counter()
        size = Path(root, 'cache', INDEX).stat().st_size
        return {
            'images': count, 'MiB of the index': size / MIB, 'bytes an image': size / count,
            's to list the images': listed - start, 's to read the index': read - listed,
            's to check the images': checked - read,
            'MiB of a process': (memory_now() - base) / MIB,
        }  # fmt: skip


def make_images(root: Path, count: int) -> list[str]:
    """Empty files in folders of a thousand."""
    paths = []
    for number in range(count):
        folder = root / f'images/{number // 1000:05d}'
        if number % 1000 == 0:
            folder.mkdir(parents=True)
        paths.append(f'{folder}/image_{number:08d}.jpg')
        os.close(os.open(paths[-1], os.O_CREAT))
    return paths


def write_index(folder: Path, paths: Iterable[str]) -> None:
    """Write the index of a cache of these files, without shards."""
    folder.mkdir()
    recorded = fingerprint(next(iter(paths)))
    images = {
        name: {
            **recorded, 'changed': os.stat(path).st_mtime_ns, 'size': [512, 1024],
            'shard': f'shard_{number // 64:05d}.safetensors',
        }
        for number, (path, name) in enumerate(names_of(paths).items())
    }  # fmt: skip
    loader = WholeImages(ImageFiles([Path(next(iter(paths)))], [])).loader
    taps = {'decode_head.conv_seg': asdict(Storage(21, 3, 8))}
    text = {'made_from': {'stride': 8}, 'loader': loader, 'taps': taps}
    (folder / INDEX).write_text(json.dumps({**text, 'images': images}))


def memory_now() -> int:
    """Bytes of memory that this process holds, its own and what it shares."""
    return (
        int(Path('/proc/self/statm').read_text(encoding='utf-8').split()[1])
        * resource.getpagesize()
    )


if __name__ == '__main__':
    main()
