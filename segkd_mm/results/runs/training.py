"""Training and test of one cell of a comparison, and its result."""

import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from statistics import median

from filelock import FileLock, Timeout
from mmengine.device import get_device

from segkd_mm.config import tools_dir
from segkd_mm.files import written_aside
from segkd_mm.results.files import read_results, write_result
from segkd_mm.results.runs.cells import HASH_FILE, Cell, Method, lock_file
from segkd_mm.results.runs.processes import ProcessFailed
from segkd_mm.results.training_log import TrainingLog, read_log
from segkd_mm.whole_image.store import INDEX

# Runs a command and appends its output to a log; raises an error if it fails.
Execute = Callable[[Sequence[str], Path], None]
LOG = 'compare.log'


class AlreadyRunning(RuntimeError):
    """Error of a cell that another process is running."""


def run_cell(
    cell: Cell,
    execute: Execute,
    teacher: Mapping | None = None,
    cached_by: Method | None = None,
) -> dict:
    """Train or resume a cell, test its last weights once, write and return its result.

    Args:
        cell: The cell; if it already has a result, nothing is run.
        execute: Runs a command.
        teacher: Score of the teacher, stored in the result.
        cached_by: The config that makes the teacher's cache; by default the cell's own.

    Raises:
        AlreadyRunning: Another process is running the cell.
    """
    with _locked(cell.result):
        if not cell.is_done:
            _write_hash(cell)
            _cache_teacher(cell, execute, cached_by or cell.method)
            _train(cell, execute)
            test_result = _test(cell, execute)
            write_result(cell.result, make_result(cell, test_result, teacher))
    (result,) = read_results([cell.result])
    return result


def _locked(result: Path) -> AbstractContextManager:
    try:
        return FileLock(lock_file(result), timeout=0).acquire()
    except Timeout:
        raise AlreadyRunning(f'{result}: another process is running this cell.') from None


def _write_hash(cell: Cell) -> None:
    with written_aside(cell.work_dir / HASH_FILE) as aside:
        aside.write_text(cell.method.config_hash + '\n')


def _cache_teacher(cell: Cell, execute: Execute, maker: Method) -> None:
    """Make the teacher's cache of the cell, once for all cells that use it."""
    if not (cache := cell.method.cache) or Path(cache, INDEX).is_file():
        return
    Path(cache).parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f'{Path(cache)}.lock'):  # wait for another cell that is making it
        if not Path(cache, INDEX).is_file():
            _make_cache(cell, execute, maker)


def _make_cache(cell: Cell, execute: Execute, maker: Method) -> None:
    """Make the cache by the config ``maker``; by the cell's own where that one fails."""
    try:
        execute(cache_command(maker), cell.work_dir / LOG)
    except ProcessFailed:
        if maker.name == cell.method.name:
            raise
        execute(cache_command(cell.method), cell.work_dir / LOG)


def _train(cell: Cell, execute: Execute) -> None:
    # tools/train.py writes this file at its end.
    if not (cell.work_dir / 'train.json').is_file():
        execute(train_command(cell), cell.work_dir / LOG)


def _test(cell: Cell, execute: Execute) -> dict:
    out = cell.work_dir / 'test.json'
    execute(test_command(cell, out), cell.work_dir / LOG)
    (result,) = read_results([out])
    return result


def cache_command(method: Method) -> list[str]:
    """Command that makes the cache of the maps of a config's teacher."""
    device = ['--device', get_device()]
    return [*_tool('cache_teacher'), method.path, *device, *_cfg_options(method)]


def train_command(cell: Cell) -> list[str]:
    """Command that trains or resumes a cell."""
    options = ['--seed', str(cell.seed), '--work-dir', str(cell.work_dir), '--resume']
    if cell.method.epochs:
        options += ['--epochs', str(cell.method.epochs)]
    return [*_tool('train'), cell.method.path, *options, *_cfg_options(cell.method)]


def test_command(cell: Cell, out: Path) -> list[str]:
    """Command that tests the last weights on the test split."""
    return [
        *_tool('test'), cell.method.path, str(last_checkpoint(cell.work_dir)), '--out', str(out),
        *_cfg_options(cell.method),
    ]  # fmt: skip


def last_checkpoint(work_dir: Path) -> Path:
    """Path of the last checkpoint of a training, from mmengine's ``last_checkpoint`` file.

    Raises:
        FileNotFoundError: The training wrote none.
    """
    pointer = work_dir / 'last_checkpoint'
    if not pointer.is_file():
        raise FileNotFoundError(
            f'{pointer} does not exist: the training wrote no checkpoint. Expected '
            'default_hooks.checkpoint with save_last=True, its default.'
        )
    return work_dir / Path(pointer.read_text(encoding='utf-8').strip()).name


def _tool(name: str) -> list[str]:
    return [sys.executable, str(tools_dir() / f'{name}.py')]


def _cfg_options(method: Method) -> list[str]:
    return ['--cfg-options', *method.cfg_options] if method.cfg_options else []


def make_result(cell: Cell, test_result: Mapping, teacher: Mapping | None) -> dict:
    """Make the result of a cell from those of its test and its training.

    Args:
        cell: The cell.
        test_result: Result of ``tools/test.py --out``.
        teacher: Score of the teacher.
    """
    return {
        **test_result,
        'test_command': test_result['command'],
        'seed': cell.seed,
        'config_hash': cell.method.config_hash,
        **summarise_log(read_log(cell.work_dir)),
        'teacher': teacher,
    }


def summarise_log(log: TrainingLog) -> dict:
    """Summarise a training log: validation mIoU in percent and times in seconds.

    ``train_seconds`` is the time of the iterations of all resumptions, without validation and
    start. Times per iteration are medians and include waiting for data.
    """
    scores = [entry['mIoU'] for entry in log.val if 'mIoU' in entry]
    entries, seconds, previous = [entry for entry in log.train if 'time' in entry], 0.0, 0
    for entry in entries:
        seconds += entry['time'] * (entry['iter'] - previous)
        previous = entry['iter']
    return {
        'val_mIoU': {'best': max(scores, default=None), 'last': scores[-1] if scores else None},
        'iterations': log.train[-1]['iter'],
        'train_seconds': seconds,
        'seconds_per_iteration': _median(entries, 'time'),
        'data_seconds_per_iteration': _median(entries, 'data_time'),
    }


def _median(entries: Sequence[Mapping], key: str) -> float | None:
    values = [entry[key] for entry in entries if key in entry]
    return median(values) if values else None
