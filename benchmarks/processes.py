"""Trainings of several processes under torchrun: killed, stopped, restarted, resumed by others.

Example:
  python benchmarks/processes.py --out results/reliability/processes.json

A tiny distillation is trained by two processes. They are struck when the first checkpoint is there.
What is resumed by two processes is compared with a run that was never stopped; of what is resumed
by another number of processes, the iterations and the images of each epoch are checked.
"""

import os
import shutil
import signal
import subprocess
import time
from argparse import ArgumentParser
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from crash_matrix import EPOCHS, last_state, same
from mmengine.registry import init_default_scope
from mmseg.registry import MODELS

from segkd_mm.config import load_config
from segkd_mm.datasets.shapes import make_shapes
from segkd_mm.results.files import write_result

IMAGES, BATCH = 24, 2
CONFIG = """
_base_ = {base!r}
data_root = {root!r}
loader = dict(num_workers=0, persistent_workers=False)
dataset = dict(data_root=data_root, num_train={images}, num_val=4)
train_dataloader = dict(batch_size={batch}, dataset=dataset, **loader)
val_dataloader = dict(dataset=dataset, **loader)
test_dataloader = val_dataloader
train_cfg = dict(max_epochs={epochs}, val_interval=1)
param_scheduler = dict(
    _delete_=True, type='ReduceOnPlateauLR', monitor='mIoU', rule='greater', factor=0.5,
    patience=0, threshold=1000, by_epoch=True,
)
default_hooks = dict(checkpoint=dict(interval=1))
custom_hooks = [*_base_.custom_hooks, dict(type='EMAHook', momentum=0.1)]
model = dict(teacher=dict(checkpoint={teacher!r}))
"""


def main() -> None:
    """Run the cases; print them and write them."""
    parser = ArgumentParser(description=__doc__.partition('\n')[0])
    parser.add_argument('--out', required=True)
    args = parser.parse_args()
    with TemporaryDirectory() as folder:
        rows = []
        for row in measure(Path(folder)):
            print(row, flush=True)
            rows.append(row)
    write_result(args.out, {'images': IMAGES, 'batch_size': BATCH, 'epochs': EPOCHS, 'table': rows})


def measure(folder: Path) -> Iterator[dict]:
    """One row a case."""
    prepare(folder)
    unbroken = Training(folder, 'unbroken')
    unbroken.start(2)
    yield unbroken.row('nothing')
    for what, options, strike in (
        ('SIGKILL of rank 1', [], kill_rank_1),
        ('SIGKILL of rank 1, `--max-restarts 1`', ['--max-restarts', '1'], kill_rank_1),
        ('SIGTERM to torchrun', [], terminate),
        ('SIGTERM to all processes, as by Slurm', [], terminate_all),
    ):
        training = Training(folder, f'work_{len(options)}_{strike.__name__}')
        training.start(2, options, strike)
        yield training.row(what, unbroken)
        if training.code:
            others = (1, 4) if strike is not terminate_all else ()
            yield from resumed(training, what, unbroken, (2, *others))


def resumed(
    training: 'Training', what: str, unbroken: 'Training', numbers: Sequence[int]
) -> Iterator[dict]:
    """Rows of what goes on from a training that was struck, by several numbers of processes."""
    for processes in numbers:
        copy = Training(training.folder, f'{training.name}_by_{processes}')
        shutil.copytree(training.work, copy.work)
        copy.start(processes)
        yield copy.row(f'{what}, then `--resume`', unbroken if processes == 2 else None)


def prepare(folder: Path) -> None:
    """Write data, a teacher and the config."""
    make_shapes(folder / 'shapes', IMAGES, 4)
    init_default_scope('mmseg')
    model = MODELS.build(load_config('teacher/mnv3s_wide_shapes.py').model)
    torch.save(model.state_dict(), folder / 'teacher.pth')
    base = load_config('kd/response_kd_shapes.py').filename
    values = dict(images=IMAGES, batch=BATCH, epochs=EPOCHS, teacher=f'{folder}/teacher.pth')
    text = CONFIG.format(base=base, root=f'{folder}/shapes', **values)
    (folder / 'training.py').write_text(text)


class Training:
    """A training under torchrun, in a work directory of its own.

    Attributes:
        code: Exit code of torchrun.
        seconds: From the strike to the end of all processes, or those of the whole training.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self.folder, self.name, self.work = folder, name, folder / name

    def start(
        self,
        processes: int,
        options: Sequence[str] = (),
        strike: Callable[[int], list[int]] | None = None,
    ) -> None:
        """Train to the end, or until it ends after a strike."""
        self.processes, self.log = processes, self.folder / f'{self.name}.log'
        command = ['torchrun', '--standalone', '--nproc_per_node', str(processes), *options,
                   'tools/train.py', str(self.folder / 'training.py'), '--launcher', 'pytorch',
                   '--work-dir', str(self.work), '--resume']  # fmt: skip
        start = time.monotonic()
        # Restarted processes would else read where the earlier ones listened.
        env = {**os.environ, 'TORCH_DISABLE_SHARE_RDZV_TCP_STORE': '1'}
        with self.log.open('w') as log:
            launcher = subprocess.Popen(command, stdout=log, stderr=log, env=env)
        if strike:
            self.wait_for_checkpoint(launcher)
            start = time.monotonic()
            workers = strike(launcher.pid)
        self.code = launcher.wait(timeout=600)
        while strike and any(Path(f'/proc/{pid}').exists() for pid in workers):
            time.sleep(0.1)
        self.seconds = time.monotonic() - start

    def wait_for_checkpoint(self, launcher: subprocess.Popen) -> None:
        """Wait until the first checkpoint is in place.

        Raises:
            RuntimeError: The training ended before.
        """
        while not (self.work / 'last_checkpoint').exists():
            if launcher.poll() is not None:
                raise RuntimeError(self.log.read_text()[-3000:])
            time.sleep(0.02)

    def row(self, what: str, unbroken: 'Training | None' = None) -> dict:
        """What is shown of it."""
        path = Path((self.work / 'last_checkpoint').read_text())
        done = torch.load(self.work / path.name, weights_only=False)['meta']
        equal = None
        if unbroken and path.name == f'epoch_{EPOCHS}.pth':
            equal = same(last_state(self.work), last_state(unbroken.work))
        return {
            'what is done': what, 'processes': self.processes, 'exit code': self.code,
            'seconds to the end': round(self.seconds), 'last checkpoint': path.name,
            'iterations': done['iter'],
            'equal to the unbroken one, to the bit': {None: '-', True: 'yes', False: 'no'}[equal],
        }  # fmt: skip


def workers_of(launcher: int) -> dict[str, int]:
    """Process ids of a launcher's processes by their ranks."""
    ranks = {}
    for pid in (
        Path(f'/proc/{launcher}/task/{launcher}/children').read_text(encoding='utf-8').split()
    ):
        for variable in Path(f'/proc/{pid}/environ').read_text(encoding='utf-8').split('\0'):
            if variable.startswith('RANK='):
                ranks[variable[5:]] = int(pid)
    return ranks


def kill_rank_1(launcher: int) -> list[int]:
    """Send SIGKILL to the second process; gives the ids of all."""
    workers = workers_of(launcher)
    os.kill(workers['1'], signal.SIGKILL)
    return [*workers.values()]


def terminate(launcher: int) -> list[int]:
    """Send SIGTERM to torchrun, as a queue does; gives the ids of its processes."""
    workers = workers_of(launcher)
    os.kill(launcher, signal.SIGTERM)
    return [*workers.values()]


def terminate_all(launcher: int) -> list[int]:
    """Send SIGTERM to torchrun and to its processes, which then get it twice."""
    workers = terminate(launcher)
    for pid in workers:
        os.kill(pid, signal.SIGTERM)
    return workers


if __name__ == '__main__':
    main()
