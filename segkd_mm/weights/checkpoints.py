"""Which checkpoint of a work directory a training goes on from."""

import zipfile
from collections.abc import Iterator
from pathlib import Path

import torch

from segkd_mm.weights.error import WeightsError
from segkd_mm.weights.mmengine_loader import IF_TRUSTED
from segkd_mm.weights.reading import safe_reading

# Not to resume from: these have no state of the optimizer.
OTHERS = 'best', 'nonfinite_'


def newest_whole(work_dir: str | Path) -> tuple[Path | None, list[str]]:
    """Find the checkpoint of the latest iteration that is whole, and say which others are not.

    Args:
        work_dir: Where ``last_checkpoint`` is, which names the folder of the checkpoints.

    Returns:
        The checkpoint, or None if there is none; one line for each that is cut short or gone.

    Raises:
        WeightsError: A file could run code.
    """
    pointed = _pointed(Path(work_dir))
    if pointed is not None and pointed.is_dir():  # as DeepSpeed saves them
        return pointed, []
    folder = pointed.parent if pointed is not None and pointed.parent.is_dir() else Path(work_dir)
    iterations, faults = {}, []
    for path in _checkpoints(folder):
        fault = _fault(path)
        if fault:
            faults.append(f'{path} is not whole: {fault}')
        elif (iteration := _iteration(path)) is not None:
            iterations[path] = iteration
    if pointed is not None and not pointed.exists():
        faults.insert(0, f'last_checkpoint names {pointed}, which is gone')
    return max(iterations, key=iterations.get, default=None), faults


def check_resumable(path: str | Path) -> None:
    """Check that a file is a checkpoint of a training, with the state to go on from.

    What is no local file passes: its loader names it.

    Raises:
        WeightsError: It holds weights alone, or could run code.
    """
    path = Path(path)
    if path.is_file() and zipfile.is_zipfile(path) and _iteration(path) is None:
        raise WeightsError(
            f'{path}: found weights alone, expected a checkpoint with its iteration and the state '
            'of the optimizer, to resume from. To start from these weights: --cfg-options '
            f'load_from={path}, without --resume.'
        )


def _pointed(work_dir: Path) -> Path | None:
    """What ``last_checkpoint`` names; beside it, where the work directory was moved."""
    pointer = work_dir / 'last_checkpoint'
    text = pointer.read_text(encoding='utf-8').strip() if pointer.is_file() else ''
    if not text:
        return None
    named, beside = Path(text), work_dir / Path(text).name
    return beside if beside.exists() or not named.exists() else named


def _checkpoints(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.glob('*.pth')):
        if not (path.is_symlink() or path.name.startswith(('.', *OTHERS))):
            yield path


def _fault(path: Path) -> str | None:
    """What tells that a file was cut short or damaged: it is a zip with a checksum of each part."""
    try:
        with zipfile.ZipFile(path) as file:
            damaged = file.testzip()
    except (zipfile.BadZipFile, OSError, EOFError) as error:
        return str(error)
    return f'{damaged} in it is damaged' if damaged else None


def _iteration(path: Path) -> int | None:
    """Iteration of a checkpoint; None for other weights in the folder."""
    with safe_reading(str(path), IF_TRUSTED):
        checkpoint = torch.load(path, map_location='cpu', mmap=True, weights_only=True)
    meta = checkpoint.get('meta') if isinstance(checkpoint, dict) else None
    return meta.get('iter') if isinstance(meta, dict) else None
