"""A long training of a tiny distillation: memory, file handles, threads and step time stay flat.

Example:
  python benchmarks/soak.py --iterations 20000 --out results/reliability/soak.json

Validations, checkpoints, EMA, the queues of CIRKD's memory, a scheduled term and a worker of the
data loader run along. The slopes are those of a straight line through the last three quarters.
"""

import os
import time
from argparse import ArgumentParser
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from mmengine.hooks import Hook
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from mmseg.registry import MODELS

from segkd_mm.cli.console import QuietRunner
from segkd_mm.config import load_config
from segkd_mm.datasets.shapes import make_shapes
from segkd_mm.results.files import write_result
from segkd_mm.results.tables import markdown_table

POINTS, WARM_UP = 200, 0.25
IMAGES = 400  # mmengine sleeps for 2 seconds whenever all of them were seen
# What a training may gain in 1,000 iterations.
BOUNDS = {'MiB': 0.5, 'MiB of workers': 0.5, 'files': 0.05, 'threads': 0.05, 'ms an iteration': 0.5}
CONFIG = """
_base_ = {base!r}
norm = dict(type='BN')
net = dict(
    _delete_=True, type='EncoderDecoder', data_preprocessor=_base_.preprocessor,
    backbone=dict(type='ResNet', depth=18, stem_channels=4, base_channels=4, norm_cfg=norm),
    decode_head=dict(
        type='FCNHead', in_channels=32, channels=8, num_classes=8, norm_cfg=norm, num_convs=1
    ),
    test_cfg=dict(mode='whole'),
)
model = dict(
    student=net,
    teacher=dict(model=net, checkpoint={teacher!r}),
    terms=dict(
        logits=dict(schedule=[(0, 0), (0.1, 1), (0.9, 1), (1, 0)]),
        memory=dict(
            student='backbone.layer4', teacher='backbone.layer4',
            loss=dict(
                type='CIRKDMemoryLoss', num_classes=8, channels='auto', pixels=40, regions=10,
                pixel_keys=80, region_keys=40,
            ),
        ),
    ),
)
dataset = dict(data_root={root!r}, num_train={images}, num_val=4)
train_dataloader = dict(batch_size=2, num_workers=1, dataset=dataset)
val_dataloader = dict(num_workers=0, persistent_workers=False, dataset=dataset)
test_dataloader = val_dataloader
train_cfg = dict(
    _delete_=True, type='IterBasedTrainLoop', max_iters={iterations}, val_interval={often}
)
default_hooks = dict(
    logger=dict(log_metric_by_epoch=False),
    checkpoint=dict(by_epoch=False, interval={often}, max_keep_ckpts=2),
)
log_processor = dict(by_epoch=False)
custom_hooks = [*_base_.custom_hooks, dict(type='EMAHook')]
work_dir = {work!r}
"""


class Watch(Hook):
    """Notes what the process holds, at ``POINTS`` moments of a training."""

    priority = 'LOWEST'

    def __init__(self) -> None:
        self.rows: list[dict[str, float]] = []

    def before_train(self, runner: Runner) -> None:
        self.every, self.start = max(runner.max_iters // POINTS, 1), time.monotonic()

    def after_train_iter(self, runner: Runner, *_, **__) -> None:
        if (runner.iter + 1) % self.every:
            return
        seconds = time.monotonic() - self.start
        self.rows.append({'iteration': runner.iter + 1, **held(seconds / self.every)})
        self.start = time.monotonic()


def held(seconds: float) -> dict[str, float]:
    """Memory and handles of this process and its workers, and the seconds of an iteration."""
    me = os.getpid()
    workers = Path(f'/proc/{me}/task/{me}/children').read_text(encoding='utf-8').split()
    return {
        'MiB': memory(me),
        'MiB of workers': sum(map(memory, workers)),
        'files': len(os.listdir(f'/proc/{me}/fd')),
        'threads': len(os.listdir(f'/proc/{me}/task')),
        'ms an iteration': 1000 * seconds,
    }


def memory(process: int | str) -> float:
    """Resident memory of a process that is not shared with others, MiB."""
    lines = Path(f'/proc/{process}/status').read_text(encoding='utf-8').splitlines()
    (line,) = (line for line in lines if line.startswith('RssAnon:'))
    return int(line.split()[1]) / 1024


def slopes(rows: list[dict[str, float]]) -> dict[str, float]:
    """What each quantity gains in 1,000 iterations, after the warm-up."""
    late = rows[int(WARM_UP * len(rows)) :]
    at = np.array([row['iteration'] for row in late]) / 1000
    return {key: float(np.polyfit(at, [row[key] for row in late], 1)[0]) for key in BOUNDS}


def train(folder: Path, iterations: int) -> list[dict[str, float]]:
    """Train in a folder; gives the notes."""
    make_shapes(folder / 'shapes', IMAGES, 4)
    file, teacher = folder / 'soak.py', folder / 'teacher.pth'
    file.write_text(
        CONFIG.format(
            base=load_config('kd/response_kd_shapes.py').filename, teacher=str(teacher),
            root=str(folder / 'shapes'), images=IMAGES, work=str(folder / 'work'),
            iterations=iterations, often=max(iterations // 20, 1),
        )
    )  # fmt: skip
    config, watch = load_config(file), Watch()
    init_default_scope('mmseg')
    torch.save(MODELS.build(config.model.student).state_dict(), teacher)
    runner = QuietRunner.from_cfg(config)
    runner.register_hook(watch)
    runner.train()
    return watch.rows


def main() -> None:
    """Train, print the slopes and write them; the exit code is 1 where one is over its bound."""
    parser = ArgumentParser(description=__doc__.partition('\n')[0])
    parser.add_argument('--iterations', type=int, default=20_000)
    parser.add_argument('--out', required=True)
    args = parser.parse_args()
    torch.set_num_threads(1)
    with TemporaryDirectory() as folder:
        rows = train(Path(folder), args.iterations)
    found = slopes(rows)
    table = [
        {
            'what': key,
            'at the end': rows[-1][key],
            'gain in 1,000 iterations': found[key],
            'bound': b,
        }
        for key, b in BOUNDS.items()
    ]
    print(markdown_table(table))
    about = {'iterations': args.iterations, 'warm_up': WARM_UP, 'table': table}
    write_result(args.out, {**about, 'series': rows})
    if any(found[key] > bound for key, bound in BOUNDS.items()):
        raise SystemExit(1)


if __name__ == '__main__':
    main()
