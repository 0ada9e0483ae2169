"""Trainings, caches, exports and comparisons that are killed at random, against unbroken ones.

Example:
  python benchmarks/crash_matrix.py --minutes 25 --out results/reliability/crash_matrix.json

A tiny distillation (EMA, plateau schedule, an adapter's queues, one checkpoint kept) is killed,
resumed and killed again until it is done; then its last checkpoint is compared with that of a run
that was never stopped, to the bit. Each run is a fork of this process: imports would take most of
the time, as they do in the processes that `compare` starts. The case of the full disk mounts a
tmpfs, as root, and is left out where that cannot be done.
"""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
import traceback
from argparse import ArgumentParser
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from hashlib import sha256
from pathlib import Path
from shutil import rmtree
from tempfile import TemporaryDirectory

import torch
from mmengine.registry import init_default_scope
from mmseg.registry import MODELS

from segkd_mm.cli import cache_teacher, compare, export, train  # noqa: F401  what the forks run
from segkd_mm.cli.main import main as segkd
from segkd_mm.config import load_config
from segkd_mm.datasets.shapes import make_shapes
from segkd_mm.deploy import load_runtime
from segkd_mm.results.files import read_results, write_result

EPOCHS, IMAGES = 3, 8
COUNTS = 'kills', 'in_a_file', 'runs', 'equal'
TITLES = {
    'case': 'what is done',
    'kills': 'times',
    'in_a_file': 'struck while a temporary file was half written',
    'runs': 'runs to the end',
    'equal': 'equal to the unbroken one, to the bit',
}
TRAINING = """
_base_ = {base!r}
data_root = {root!r}
loader = dict(num_workers={workers}, persistent_workers={workers} > 0)
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
    # A shell lets what it runs in the background ignore Ctrl-C, and the forks would, too.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    torch.set_num_threads(1)
    with TemporaryDirectory() as folder:
        try:
            rows = measure(Path(folder), time.monotonic() + 60 * args.minutes)
        finally:
            subprocess.run(['umount', f'{folder}/small'], capture_output=True)
    print('case                                    kills  in a file  runs  equal')
    for row in rows:
        print('{case:40}{kills:5}{in_a_file:11}{runs:6}{equal:7}'.format(**row), *row['errors'])
    table = [{title: row[key] for key, title in TITLES.items()} for row in rows]
    write_result(args.out, {'epochs': EPOCHS, 'seed': args.seed, 'cases': rows, 'table': table})


def measure(folder: Path, end: float) -> list[dict]:
    """One row a case: its kills, how many left a file cut short, finished runs, equal ones."""
    has_small_disk = can_mount(folder)
    jobs = {name: unbroken(job, folder) for name, job in prepare(folder).items()}
    at = {name: partial(at_random_moment, job.seconds) for name, job in jobs.items()}
    kill, work = signal.SIGKILL, jobs['train'].product
    worker = partial(at['workers'], kill, whom=a_child)
    all_of_it = partial(at['compare'], kill, whom=with_descendants)
    cases = {
        'SIGKILL anywhere in a training': ('train', partial(at['train'], kill)),
        'SIGKILL while a file is written': ('train', partial(as_a_file_is_written, work)),
        'SIGTERM anywhere in a training': ('train', partial(at['train'], signal.SIGTERM)),
        'Ctrl-C anywhere in a training': ('train', partial(at['train'], signal.SIGINT)),
        "SIGKILL of a data loader's worker": ('workers', worker),
        'SIGKILL while a cache is built': ('cache', partial(at['cache'], kill)),
        'SIGKILL anywhere in an export': ('export', partial(at['export'], kill)),
        'SIGKILL of `compare` and what it runs': ('compare', all_of_it),
        'Ctrl-C anywhere in `compare`': ('compare', partial(at['compare'], signal.SIGINT)),
    }
    if has_small_disk:
        cases['a disk that is full'] = ('full', partial(on_a_full_disk, jobs['full'].product))
    rows = [
        {'case': case, **dict.fromkeys(COUNTS, 0), 'exit_codes': {}, 'errors': []} for case in cases
    ]
    while time.monotonic() < end:
        for row, (job, strike) in zip(rows, cases.values(), strict=True):
            until_done(jobs[job], strike, row, folder / 'run.log')
    return rows


@dataclass
class Job:
    """A command, the folder that it writes, and what is compared there.

    ``expected`` and ``seconds`` are those of an unbroken run, ``failure`` a text of its log where
    it may end with exit code 1.
    """

    words: list[str]
    product: Path
    read: Callable[[Path], object]
    failure: str | None = None
    expected: object = None
    seconds: float = 0.0


def unbroken(job: Job, folder: Path) -> Job:
    """The job with what its run gives when nothing disturbs it."""
    for _ in range(2):  # the first run is slower than all others
        start = time.monotonic()
        if run(job.words, folder / 'unbroken.log', lambda pid: None) != 0:
            raise RuntimeError((folder / 'unbroken.log').read_text()[-3000:])
        expected, seconds = job.read(job.product), time.monotonic() - start
        rmtree(job.product)
    return replace(job, expected=expected, seconds=seconds)


def prepare(folder: Path) -> dict[str, Job]:
    """Write data, a teacher and the configs; gives the jobs."""
    make_shapes(folder / 'shapes', IMAGES, 4)
    init_default_scope('mmseg')
    for name, kind in (('teacher', 'teacher/mnv3s_wide'), ('student', 'student/mnv3s_slim')):
        torch.manual_seed(7)
        model = MODELS.build(load_config(f'{kind}_shapes.py').model)
        torch.save(model.state_dict(), folder / f'{name}.pth')
    values = {
        'base': load_config('kd/response_kd_shapes.py').filename, 'root': str(folder / 'shapes'),
        'images': IMAGES, 'epochs': EPOCHS, 'teacher': str(folder / 'teacher.pth'),
        'cache': str(folder / 'cache'),
    }  # fmt: skip
    texts = {
        'training': TRAINING.format(workers=0, **values), 'cached': CACHE.format(**values),
        'workers': TRAINING.format(workers=1, **values),
    }  # fmt: skip
    for name, text in texts.items():
        (folder / f'{name}.py').write_text(text)
    return jobs_of(folder)


def jobs_of(folder: Path) -> dict[str, Job]:
    """The commands that are struck."""

    def training(config: str, work: Path, failure: str | None = None) -> Job:
        words = ['train', str(folder / config), '--work-dir', str(work), '--resume']
        return Job(words, work, last_state, failure)

    onnx = ['--to', 'onnx', '--num-images', '2', '--out', str(folder / 'export/student.onnx')]
    student = [str(folder / 'training.py'), str(folder / 'student.pth')]
    cache = ['cache', str(folder / 'cached.py'), '--device', 'cpu', '--workers', '0']
    results = str(folder / 'compare/results')
    comparison = ['compare', str(folder / 'training.py'), '--seeds', '0', '--results', results]
    return {
        'compare': Job(comparison, folder / 'compare', scores_and_weights),
        'train': training('training.py', folder / 'work'),
        'workers': training('workers.py', folder / 'work_workers', 'DataLoader worker'),
        'full': training('training.py', folder / 'small/work', 'No space left'),
        'cache': Job(cache, folder / 'cache', files_digest),
        'export': Job(['export', *student, *onnx], folder / 'export', outputs_of_file),
    }


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
        if words[0] == 'compare':  # its trainings are in the current folder
            folder = Path(words[-1]).parent
            folder.mkdir(exist_ok=True)
            os.chdir(folder)
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


def itself(pid: int) -> list[int]:
    """The process that is struck, alone."""
    return [pid]


def a_child(pid: int) -> list[int]:
    """One process that it started; none if there is none yet."""
    return _children(pid)[:1]


def with_descendants(pid: int) -> list[int]:
    """The process and all that it started, as when a container ends."""
    return [pid, *(one for child in _children(pid) for one in with_descendants(child))]


def _children(pid: int) -> list[int]:
    """Processes that any thread of a process started."""
    files = Path(f'/proc/{pid}/task').glob('*/children')
    try:
        return [int(one) for file in files for one in file.read_text().split()]
    except (FileNotFoundError, ProcessLookupError):  # it has ended meanwhile
        return []


def at_random_moment(
    seconds: float, number: int, pid: int, whom: Callable[[int], list[int]] = itself
) -> None:
    """Send a signal as soon as there is a receiver.

    Within half of the time that an unbroken run takes, as a run that goes on takes less.
    """
    end = time.monotonic() + random.uniform(0, seconds / 2)
    struck: list[int] = []
    while not has_ended(pid) and not (time.monotonic() >= end and (struck := whom(pid))):
        time.sleep(0.002)
    for one in struck:
        with suppress(ProcessLookupError):
            os.kill(one, number)


def can_mount(folder: Path) -> bool:
    """Whether this process may mount a tmpfs; if so, it is there afterwards."""
    (folder / 'small').mkdir()
    words = ['mount', '-t', 'tmpfs', '-o', 'size=512m', 'tmpfs', str(folder / 'small')]
    return subprocess.run(words, capture_output=True).returncode == 0


def on_a_full_disk(product: Path, pid: int) -> None:
    """Leave a random amount of space, until the process has ended; then there is enough again."""
    disk = shutil.disk_usage(product.parent)
    block = product.parent / 'block'
    with block.open('wb') as file:
        file.write(bytes(int(disk.free - random.uniform(0, 150 << 20))))
    while not has_ended(pid):
        time.sleep(0.01)
    block.unlink()


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


def until_done(job: Job, strike: Callable[[int], None], row: dict, log: Path) -> None:
    """Strike a command again and again until it is done; note in the row how it went."""
    code, attempts = None, 0
    while code != 0:
        before = set(job.product.glob('.*'))
        log.unlink(missing_ok=True)
        code = run(job.words, log, strike if attempts < 8 else lambda pid: None)
        attempts += 1
        row['exit_codes'][str(code)] = row['exit_codes'].get(str(code), 0) + 1
        failed = code == 1 and job.failure and job.failure in log.read_text(encoding='utf-8')
        struck = bool(failed) or code in (-9, -15, -2, 130, 143)
        row['kills'] += struck
        left = set(job.product.glob('.*.[0-9]*')) - before
        row['in_a_file'] += code == -9 and bool(left)
        if code != 0 and not struck:
            row['errors'].append(said(log))
            break
    row['runs'] += code == 0
    row['equal'] += code == 0 and same(job.read(job.product), job.expected)
    rmtree(job.product)


def said(log: Path) -> str:
    """The errors in a log; standard output comes after them, as it is buffered."""
    lines = log.read_text(encoding='utf-8', errors='replace').splitlines()
    return '\n'.join([line for line in lines if 'rror' in line] or lines[-40:])


def last_state(work_dir: Path) -> dict:
    """All of the last checkpoint that a training goes on from."""
    checkpoint = torch.load(work_dir / f'epoch_{EPOCHS}.pth', weights_only=False)
    keys = 'state_dict', 'ema_state_dict', 'optimizer', 'param_schedulers'
    best = checkpoint['message_hub']['runtime_info']['best_score']
    return {**{key: checkpoint[key] for key in keys}, 'best_score': best}


def scores_and_weights(folder: Path) -> dict:
    """What `compare` measured, and the last weights of its training."""
    (result,) = read_results(folder.glob('results/*/0.json'))
    (work_dir,) = folder.glob('work_dirs/compare/results/*/0')
    measured = {key: result[key] for key in ('metrics', 'iterations')}
    return {**measured, **last_state(work_dir)}


def files_digest(folder: Path) -> dict[str, str]:
    files = (path for path in folder.iterdir() if not path.name.startswith('.'))
    return {path.name: sha256(path.read_bytes()).hexdigest() for path in files}


def outputs_of_file(folder: Path) -> torch.Tensor:
    """What the exported file computes; its bytes hold the time of the export."""
    image = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    return load_runtime(folder / 'student.onnx')(image)


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
