"""Parallel execution of a comparison's cells; a failed one does not stop the others."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from functools import partial
from queue import SimpleQueue

import torch

from segkd_mm.results.runs.cells import Cell
from segkd_mm.results.runs.processes import Processes, ProcessStopped
from segkd_mm.results.runs.progress import RunProgress
from segkd_mm.results.runs.training import AlreadyRunning, Execute


@dataclass
class Outcome:
    """The cells that gave no result.

    Attributes:
        failed: Error message by name of the cell.
        already_running: Names of the cells that another process runs.
    """

    failed: dict[str, str] = field(default_factory=dict)
    already_running: list[str] = field(default_factory=list)


def run_cells(
    cells: Sequence[Cell], jobs: int, run: Callable[[Cell, Execute], dict], progress: RunProgress
) -> Outcome:
    """Run cells in order, ``jobs`` at a time.

    An exception such as KeyboardInterrupt stops all processes and is raised again.

    Args:
        cells: The cells to run.
        jobs: Number of cells at a time; each gets its share of the cores, and one of the GPUs.
        run: Runs a cell and returns its result; executes commands by its second argument.
        progress: Reports the start and end of cells.
    """
    outcome, processes, available = Outcome(), Processes(), SimpleQueue()
    for job in range(jobs):
        available.put(job_environment(job, jobs))

    def work(cell: Cell) -> None:
        variables = available.get()
        try:
            progress.start(cell.name)
            progress.finish(cell.name, attempt(cell, partial(processes.run, variables=variables)))
        finally:
            available.put(variables)

    def attempt(cell: Cell, execute: Execute) -> str:
        try:
            return f'mIoU {run(cell, execute)["metrics"]["mIoU"]:.2f}'
        except AlreadyRunning:
            outcome.already_running.append(cell.name)
            return 'already running in another process'
        except ProcessStopped:
            return 'stopped'
        except Exception as error:  # must not stop the other cells
            outcome.failed[cell.name] = f'{type(error).__name__}: {error}'
            return 'failed'

    with ThreadPoolExecutor(jobs) as pool:
        futures = [pool.submit(work, cell) for cell in cells]
        try:
            done, _ = wait(futures, return_when=FIRST_EXCEPTION)
            for future in done:
                future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            processes.stop()
            raise
    return outcome


def job_environment(job: int, jobs: int) -> dict[str, str]:
    """Environment variables that give a job its share of the cores and GPUs.

    OMP_NUM_THREADS is kept if it is set.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count()
    threads = os.environ.get('OMP_NUM_THREADS', str(max(cores // jobs, 1)))
    devices = cuda_devices()
    cuda = {'CUDA_VISIBLE_DEVICES': devices[job % len(devices)]} if len(devices) > 1 else {}
    return {'OMP_NUM_THREADS': threads, **cuda}


def cuda_devices() -> list[str]:
    """Names of the GPUs that this process may use."""
    visible = os.environ.get('CUDA_VISIBLE_DEVICES')
    if visible is not None:
        return [name for name in visible.split(',') if name]
    return [str(number) for number in range(torch.cuda.device_count())]
