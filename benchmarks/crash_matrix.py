"""Trainings and caches that are killed at random moments, against unbroken ones, to the bit.

Example:
  python benchmarks/crash_matrix.py --minutes 5 --out results/reliability/crash_matrix.json

A tiny distillation (EMA, plateau schedule, an adapter's queues, one checkpoint kept) is killed,
resumed and killed again until it is done; then its last checkpoint is compared with that of a run
that was never stopped. Each run is a fork of this process: imports would take most of the time.
"""

import os
import random
import signal
import sys
import time
import traceback
from argparse import ArgumentParser
from collections.abc import Callable
from functools import partial
from hashlib import sha256
from pathlib import Path
from shutil import rmtree
from tempfile import TemporaryDirectory

import torch
from mmengine.registry import init_default_scope
from mmseg.registry import MODELS

from segkd_mm.cli import cache_teacher, train  # noqa: F401  what the forks run
from segkd_mm.cli.main import main as segkd
from segkd_mm.config import load_config
from segkd_mm.datasets.shapes import make_shapes
from segkd_mm.results.files import write_result

EPOCHS, IMAGES = 3, 8
TRAINING = """
_base_ = {base!r}
data_root = {root!r}
loader = dict(num_workers=0, persistent_workers=False)
dataset = dict(data_root=data_root, num_train={images}, num_val=4)
train_dataloader = dict(batch_size=4, dataset=dataset, **loader)
val_dataloader = dict(dataset=dataset, **loader)
test_dataloader = val_dataloader
train_cfg = dict(max_epochs={epochs}, val_interval=1)
param_scheduler = dict(
    _delete_=True, type='ReduceOnPlateauLR', monitor='mIoU', rule='greater', factor=0.5,
    patience=0, threshold=1000, by_epoch=True,
)
default_hooks = dict(checkpoint=dict(interval=1, max_keep_ckpts=1))
custom_hooks = [*_base_.custom_hooks, dict(type='EMAHook', momentum=0.1)]
memory = dict(
    student='backbone.high', teacher='backbone.high',
    loss=dict(
        type='CIRKDMemoryLoss', num_classes=8, channels='auto', pixels=40, regions=10,
        pixel_keys=80, region_keys=40,
    ),
)
model = dict(teacher=dict(checkpoint={teacher!r}), terms=dict(memory=memory))
"""
CACHE = """
_base_ = {base!r}
data_root = {root!r}
loader = dict(num_workers=0, persistent_workers=False)
dataset = dict(data_root=data_root, num_train={images}, num_val=4)
val_dataloader = dict(dataset=dataset, **loader)
test_dataloader = val_dataloader
_base_.teacher.checkpoint = {teacher!r}
cached = dict(type='CachedTeacher', cache={cache!r}, teacher=_base_.teacher)
model = dict(
    _delete_=True, type='SegDistiller', student=_base_.student, teacher=cached, terms=_base_.terms
)
_base_.train_dataloader.dataset.update(dataset)
train_dataloader = dict(
    dataset=dict(
        _delete_=True, type='WithTeacherCache', cache={cache!r},
        dataset=_base_.train_dataloader.dataset,
    )
)
"""


def main() -> None:
    """Run the matrix for a time; print it and write it."""
    parser = ArgumentParser(description=__doc__.partition('\n')[0])
    parser.add_argument('--minutes', type=float, default=5)
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--out', required=True)
    args = parser.parse_args()
    random.seed(args.seed)
    torch.set_num_threads(1)
    with TemporaryDirectory() as folder:
        rows = measure(Path(folder), time.monotonic() + 60 * args.minutes)
    print('case                                kills  in a file  runs  equal')
    for row in rows:
        print('{case:36}{kills:5}{in_a_file:11}{runs:6}{equal:7}'.format(**row))
    write_result(args.out, {'epochs': EPOCHS, 'seed': args.seed, 'cases': rows})


def measure(folder: Path, end: float) -> list[dict]:
    """One row a case: its kills, how many left a file cut short, finished runs, equal ones."""
    training, cached = prepare(folder)
    work, cache = folder / 'work', folder / 'cache'
    train_words = ['train', str(training), '--work-dir', str(work), '--resume']
    cache_words = ['cache', str(cached), '--device', 'cpu', '--workers', '0']
    jobs = {}
    for words, product, read in (
        (train_words, work, last_state), (cache_words, cache, files_digest),
    ):  # fmt: skip
        start = time.monotonic()
        code = run(words, folder / 'unbroken.log', lambda pid: None)
        if code != 0:
            raise RuntimeError((folder / 'unbroken.log').read_text()[-3000:])
        jobs[words[0]] = (words, product, read, read(product), time.monotonic() - start)
        rmtree(product)
    at = partial(at_random_moment, jobs['train'][-1])
    cases = {
        'SIGKILL anywhere in a training': ('train', partial(at, signal.SIGKILL)),
        'SIGKILL while a file is written': ('train', partial(as_a_file_is_written, work)),
        'SIGTERM anywhere in a training': ('train', partial(at, signal.SIGTERM)),
        'Ctrl-C anywhere in a training': ('train', partial(at, signal.SIGINT)),
        'SIGKILL while a cache is built': (
            'cache', partial(at_random_moment, jobs['cache'][-1], signal.SIGKILL),
        ),
    }  # fmt: skip
    rows = [
        {'case': case, 'kills': 0, 'in_a_file': 0, 'runs': 0, 'equal': 0, 'exit_codes': {}}
        for case in cases
    ]
    while time.monotonic() < end:
        for row, (job, strike) in zip(rows, cases.values(), strict=True):
            until_done(*jobs[job][:4], strike, row, folder / 'run.log')
    return rows


def prepare(folder: Path) -> tuple[Path, Path]:
    """Write data, a teacher and the two configs; gives the configs."""
    make_shapes(folder / 'shapes', IMAGES, 4)
    init_default_scope('mmseg')
    torch.manual_seed(7)
    teacher = MODELS.build(load_config('teacher/mnv3s_wide_shapes.py').model)
    torch.save(teacher.state_dict(), folder / 'teacher.pth')
    training, cached = folder / 'training.py', folder / 'cached.py'
    values = {
        'base': load_config('kd/response_kd_shapes.py').filename, 'root': str(folder / 'shapes'),
        'images': IMAGES, 'epochs': EPOCHS, 'teacher': str(folder / 'teacher.pth'),
    }  # fmt: skip
    training.write_text(TRAINING.format(**values))
    cached.write_text(CACHE.format(cache=str(folder / 'cache'), **values))
    return training, cached


def run(words: list[str], log: Path, strike: Callable[[int], None]) -> int:
    """Run a command in a fork that is struck; gives its exit code, negative for a signal."""
    pid = os.fork()
    if pid == 0:
        _command(words, log)
    strike(pid)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _command(words: list[str], log: Path) -> None:
    code = 1
    try:
        file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(file, 1)
        os.dup2(file, 2)
        sys.argv = sys.orig_argv = ['segkd', *words]
        code = segkd(words)
    except SystemExit as exit_:
        code = exit_.code if isinstance(exit_.code, int) else 1
    except KeyboardInterrupt:
        code = 130
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        os._exit(code)


def has_ended(pid: int) -> bool:
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def at_random_moment(seconds: float, number: int, pid: int) -> None:
    """Send a signal within the time that an unbroken run takes."""
    end = time.monotonic() + random.uniform(0, seconds)
    while time.monotonic() < end and not has_ended(pid):
        time.sleep(0.002)
    os.kill(pid, number)


def as_a_file_is_written(folder: Path, pid: int) -> None:
    """Send SIGKILL while one of the first files is written aside."""
    wait, seen = random.randint(1, 6), set()
    while len(seen) < wait:
        seen |= {(p.name, p.stat().st_ino) for p in aside(folder, pid)}
        if has_ended(pid):
            return
        time.sleep(0.0005)
    time.sleep(random.uniform(0, 0.02))
    os.kill(pid, signal.SIGKILL)


def aside(folder: Path, pid: int) -> list[Path]:
    """Files of a process that are not in place yet."""
    return [p for p in folder.glob(f'.*.{pid}*') if p.exists()]


def until_done(
    words: list[str], product: Path, read: Callable, expected: object,
    strike: Callable[[int], None], row: dict, log: Path,
) -> None:  # fmt: skip
    """Strike a command again and again until it is done; note in the row how it went."""
    code, attempts = None, 0
    while code != 0:
        before = set(product.glob('.*'))
        code = run(words, log, strike if attempts < 8 else lambda pid: None)
        attempts += 1
        row['exit_codes'][str(code)] = row['exit_codes'].get(str(code), 0) + 1
        row['kills'] += code in (-9, -15, -2, 130, 143)
        left = set(product.glob('.*.[0-9]*')) - before
        row['in_a_file'] += code == -9 and bool(left)
        if code == 1:
            raise RuntimeError(log.read_text()[-3000:])
    row['runs'] += 1
    row['equal'] += same(read(product), expected)
    rmtree(product)


def last_state(work_dir: Path) -> dict:
    """All of the last checkpoint that a training goes on from."""
    checkpoint = torch.load(work_dir / f'epoch_{EPOCHS}.pth', weights_only=False)
    keys = 'state_dict', 'ema_state_dict', 'optimizer', 'param_schedulers'
    best = checkpoint['message_hub']['runtime_info']['best_score']
    return {**{key: checkpoint[key] for key in keys}, 'best_score': best}


def files_digest(folder: Path) -> dict[str, str]:
    files = (path for path in folder.iterdir() if not path.name.startswith('.'))
    return {path.name: sha256(path.read_bytes()).hexdigest() for path in files}


def same(a: object, b: object) -> bool:
    """Whether two nested values are equal to the bit."""
    if isinstance(a, torch.Tensor):
        return a.dtype == b.dtype and torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b


if __name__ == '__main__':
    main()
