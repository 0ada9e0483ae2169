"""Hook that ends a training at SIGTERM or Ctrl-C with a checkpoint to go on from."""

import os
import signal
from multiprocessing.sharedctypes import RawValue
from pathlib import Path
from threading import current_thread, main_thread
from time import monotonic

import torch
from mmengine.dist import all_reduce, is_distributed
from mmengine.hooks import Hook
from mmengine.runner import Runner

from segkd_mm.hooks.checkpoint import WholeCheckpointHook

SIGNALS = signal.SIGTERM, signal.SIGINT
# Iterations between two looks of several processes at whether one of them got a signal.
DISTRIBUTED_INTERVAL = 10
# Seconds in which a process of several may get a signal twice: from Slurm or a terminal, which
# send it to all processes, and from torchrun, which got it too and passes it on.
REPEATED = 5


class Stopped(Exception):
    """A training ended by a signal, after its checkpoint was saved.

    Attributes:
        code: Exit code of the process, as of one that the signal ended.
    """

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


class StopHook(Hook):
    """Let the first SIGTERM or Ctrl-C finish the step and save; a second one ends at once.

    A signal that one of several processes gets twice within seconds counts once. A validation is
    finished, too. With gradient accumulation the step ends with the optimizer's. Workers of data
    loaders get the signal of a terminal or of a job's end as well: they work on until :meth:`end`.

    Raises:
        Stopped: In the main process, when the checkpoint is saved.
    """

    priority = 'LOWEST'  # after CheckpointHook

    def __init__(self) -> None:
        self.process = os.getpid()
        self.signal = 0
        self.first = 0.0
        self.repeated = 0
        self.has_ended = RawValue('b', False)  # the workers see it
        self.earlier = {}

    def before_train(self, runner: Runner) -> None:
        if current_thread() is not main_thread():
            return  # Python gives signals to the main thread alone, which then decides
        self.repeated = REPEATED if is_distributed() else 0
        for one in SIGNALS:
            if signal.getsignal(one) == signal.SIG_IGN:
                continue  # as a shell script does for Ctrl-C of what it starts with `&`
            # None stands for a handler that is not Python's.
            self.earlier[one] = signal.signal(one, self._note) or signal.SIG_DFL

    def after_train_iter(self, runner: Runner, *_unused: object, **_named: object) -> None:
        if self._is_asked(runner) and _ends_step(runner):
            raise Stopped(_save(runner), 128 + (self.signal or signal.SIGTERM))

    def end(self) -> None:
        """Give the signals back."""
        self.has_ended.value = True
        self._restore()

    def _note(self, number: int, _frame: object) -> None:
        if os.getpid() == self.process:
            if not self.signal:
                self.signal, self.first = number, monotonic()
                later = f' after {self.repeated} seconds' if self.repeated else ''
                name = signal.Signals(number).name
                print(f'{name}: stops after this step; again{later} ends at once.')
            elif monotonic() - self.first > self.repeated:
                self._restore()
                os.kill(os.getpid(), number)
        elif self.has_ended.value:  # in a worker
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)

    def _restore(self) -> None:
        for one, handler in self.earlier.items():
            signal.signal(one, handler)

    def _is_asked(self, runner: Runner) -> bool:
        if not runner.distributed:
            return self.signal != 0
        if (runner.iter + 1) % DISTRIBUTED_INTERVAL:
            return False
        asked = torch.tensor(self.signal)
        all_reduce(asked, 'max')  # all stop after the same step
        return asked.item() != 0


def _ends_step(runner: Runner) -> bool:
    """Whether no gradients are waiting to be added to: a checkpoint does not hold them."""
    return (runner.iter + 1) % getattr(runner.optim_wrapper, '_accumulative_counts', 1) == 0


def _save(runner: Runner) -> str:
    """Save a checkpoint, if a training can go on from it; says from where it goes on."""
    work_dir = Path(runner.work_dir)
    hooks = [hook for hook in runner.hooks if isinstance(hook, WholeCheckpointHook)]
    after = f'Stopped after iteration {runner.iter + 1} of {runner.max_iters}'
    how = f'To go on, give the same command with --work-dir {work_dir} --resume.'
    if hooks and hooks[0].can_stop(runner):
        return f'{after}, which is saved in {hooks[0].save_stopped(runner)}. {how}'
    return (
        f'{after}. It goes on from the last checkpoint: within an epoch this sampler cannot. {how}'
    )
