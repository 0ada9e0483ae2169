"""One cell from nothing to its result: train, test the last weights once, keep what it took."""

import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from statistics import median

from filelock import FileLock, Timeout
from mmengine.device import get_device

from segkd_mm.config import config_dir
from segkd_mm.results.files import read_results, write_result
from segkd_mm.results.runs.cells import HASH_FILE, Cell, lock_file
from segkd_mm.results.training_log import TrainingLog, read_log
from segkd_mm.whole_image.store import INDEX

# Runs a command, its output at the end of a log; raises where it fails.
Execute = Callable[[Sequence[str], Path], None]
LOG = 'compare.log'


class AlreadyRunning(RuntimeError):
    """Another process runs this cell."""


def run_cell(cell: Cell, execute: Execute, teacher: Mapping | None = None) -> dict:
    """Train a cell, or go on with it, test it and write its result; gives out the result.

    Args:
        cell: What to run; if it has a result by now, nothing is run.
        execute: Runs a command.
        teacher: What is known of the teacher, for the record.

    Raises:
        AlreadyRunning: Another process is at it.
    """
    with _locked(cell.result):
        if not cell.is_done:
            _begin(cell)
            _cache_teacher(cell, execute)
            _train(cell, execute)
            tested = _test(cell, execute)
            write_result(cell.result, make_result(cell, tested, teacher))
    (result,) = read_results([cell.result])
    return result


def _locked(result: Path) -> AbstractContextManager:
    try:
        return FileLock(lock_file(result), timeout=0).acquire()
    except Timeout:
        raise AlreadyRunning(f'{result}: another process is at it') from None


def _begin(cell: Cell) -> None:
    cell.work_dir.mkdir(parents=True, exist_ok=True)
    (cell.work_dir / HASH_FILE).write_text(cell.method.config_hash + '\n')


def _cache_teacher(cell: Cell, execute: Execute) -> None:
    """Make the teacher's cache that the config wants, once for all cells that do."""
    cache = (cell.method.config.model.get('teacher') or {}).get('cache')
    if cache:
        # Another cell may be making it: that is waited for.
        with FileLock(lock_file(cell.result.parents[1] / 'cache' / Path(cache).name)):
            if not (Path(cache) / INDEX).is_file():
                execute(cache_command(cell), cell.work_dir / LOG)


def _train(cell: Cell, execute: Execute) -> None:
    # tools/train.py writes it at its end.
    if not (cell.work_dir / 'train.json').is_file():
        execute(train_command(cell), cell.work_dir / LOG)


def _test(cell: Cell, execute: Execute) -> dict:
    out = cell.work_dir / 'test.json'
    execute(test_command(cell, out), cell.work_dir / LOG)
    (tested,) = read_results([out])
    return tested


def cache_command(cell: Cell) -> list[str]:
    """The command that makes the cache of the teacher's logits."""
    device = ['--device', get_device()]
    return [*_tool('cache_teacher'), cell.method.path, *device, *_cfg_options(cell)]


def train_command(cell: Cell) -> list[str]:
    """The command that trains a cell, or goes on with it."""
    options = ['--seed', str(cell.seed), '--work-dir', str(cell.work_dir), '--resume']
    return [*_tool('train'), cell.method.path, *options, *_cfg_options(cell)]


def test_command(cell: Cell, out: Path) -> list[str]:
    """The command that tests the last weights on the test split."""
    return [
        *_tool('test'), cell.method.path, str(last_checkpoint(cell.work_dir)), '--out', str(out),
        *_cfg_options(cell),
    ]  # fmt: skip


def last_checkpoint(work_dir: Path) -> Path:
    """The checkpoint at the end of a training, which mmengine keeps the path of.

    Raises:
        FileNotFoundError: The training wrote none.
    """
    note = work_dir / 'last_checkpoint'
    if not note.is_file():
        raise FileNotFoundError(
            f'{note} does not exist: the training wrote no checkpoint. Expected '
            'default_hooks.checkpoint with save_last, which is its default.'
        )
    return work_dir / Path(note.read_text().strip()).name


def _tool(name: str) -> list[str]:
    # Beside the configs, in a checkout and in the installed package alike.
    return [sys.executable, str(config_dir().parent / 'tools' / f'{name}.py')]


def _cfg_options(cell: Cell) -> list[str]:
    return ['--cfg-options', *cell.method.cfg_options] if cell.method.cfg_options else []


def make_result(cell: Cell, tested: Mapping, teacher: Mapping | None) -> dict:
    """The result of a cell: that of the test, and how the training went.

    Args:
        cell: What was trained.
        tested: What ``tools/test.py --out`` wrote.
        teacher: What is known of the teacher.
    """
    return {
        **tested,
        'test_command': tested['command'],
        'seed': cell.seed,
        'config_hash': cell.method.config_hash,
        **summarise_log(read_log(cell.work_dir)),
        'teacher': teacher,
    }


def summarise_log(log: TrainingLog) -> dict:
    """Scores on the validation split in percent, and what the training took, in seconds.

    ``train_seconds`` are those of the iterations, without validation and start, over all
    resumptions; those of an iteration are medians, with the wait for data in them.
    """
    scores = [line['mIoU'] for line in log.val if 'mIoU' in line]
    lines, seconds, before = [line for line in log.train if 'time' in line], 0.0, 0
    for line in lines:
        seconds += line['time'] * (line['iter'] - before)
        before = line['iter']
    return {
        'val_mIoU': {'best': max(scores, default=None), 'last': scores[-1] if scores else None},
        'iterations': log.train[-1]['iter'],
        'train_seconds': seconds,
        'seconds_per_iteration': _median(lines, 'time'),
        'data_seconds_per_iteration': _median(lines, 'data_time'),
    }


def _median(lines: Sequence[Mapping], key: str) -> float | None:
    values = [line[key] for line in lines if key in line]
    return median(values) if values else None
