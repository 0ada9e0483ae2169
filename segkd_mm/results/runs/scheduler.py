"""Run many cells, several at once; one that fails does not stop the others."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from functools import partial
from queue import SimpleQueue

import torch

from segkd_mm.results.runs.cells import Cell
from segkd_mm.results.runs.processes import Processes, Stopped
from segkd_mm.results.runs.progress import RunProgress
from segkd_mm.results.runs.training import AlreadyRunning, Execute


@dataclass
class Outcome:
    """What did not come to a result: by name of the cell why it failed; those run elsewhere."""

    failed: dict[str, str] = field(default_factory=dict)
    elsewhere: list[str] = field(default_factory=list)


def run_cells(
    cells: Sequence[Cell], jobs: int, run: Callable[[Cell, Execute], dict], watch: RunProgress
) -> Outcome:
    """Run cells in their order, ``jobs`` at a time.

    When it is interrupted, as by Ctrl-C, it stops all processes and passes the exception on.

    Args:
        cells: What to run.
        jobs: How many at once; each has its share of the cores, and one of the GPUs.
        run: Runs a cell, by commands that it gives to its second argument; gives out its result.
        watch: Shows what begins and ends.
    """
    outcome, children, free = Outcome(), Processes(), SimpleQueue()
    for job in range(jobs):
        free.put(variables_of(job, jobs))

    def work(cell: Cell) -> None:
        variables = free.get()
        watch.begin(cell.name)
        watch.end(cell.name, _attempt(cell, partial(children.run, variables=variables)))
        free.put(variables)

    def _attempt(cell: Cell, execute: Execute) -> str:
        try:
            return f'mIoU {run(cell, execute)["metrics"]["mIoU"]:.2f}'
        except AlreadyRunning:
            outcome.already_running.append(cell.name)
            return 'another process is at it'
        except Stopped:
            return 'stopped'
        except Exception as error:  # whatever it is, the others go on
            outcome.failed[cell.name] = f'{type(error).__name__}: {error}'
            return 'failed'

    with ThreadPoolExecutor(jobs) as pool:
        futures = [pool.submit(work, cell) for cell in cells]
        try:
            wait(futures)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            children.stop()
            raise
    return outcome


def variables_of(job: int, jobs: int) -> dict[str, str]:
    """Variables of the environment that give a job its share of the machine.

    A number of threads that is set already stays.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count()
    threads = os.environ.get('OMP_NUM_THREADS', str(max(cores // jobs, 1)))
    devices = cuda_devices()
    cuda = {'CUDA_VISIBLE_DEVICES': devices[job % len(devices)]} if len(devices) > 1 else {}
    return {'OMP_NUM_THREADS': threads, **cuda}


def cuda_devices() -> list[str]:
    """Names of the GPUs that this process may use."""
    named = os.environ.get('CUDA_VISIBLE_DEVICES')
    if named is not None:
        return [name for name in named.split(',') if name]
    return [str(number) for number in range(torch.cuda.device_count())]
