"""Work directories: what an earlier training left is set aside before a new one starts there."""

import os
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from segkd_mm.results.files import read_results

TIME = 8 * '[0-9]' + '_' + 6 * '[0-9]'  # a folder of logs: 20260131_235959
# What a training and the test of its checkpoints write; the pointer to resume from is the first.
WRITTEN = (
    'last_checkpoint', '*.pth', 'train.json', 'test_*.json', 'model.py', 'curves.png', TIME,
)  # fmt: skip


def earlier_files(work_dir: str | os.PathLike) -> list[Path]:
    """List the checkpoints, logs and results of an earlier training in a work directory."""
    return [path for pattern in WRITTEN for path in sorted(Path(work_dir).glob(pattern))]


def check_unused(config: Mapping, earlier: Sequence[Path]) -> None:
    """Check that a config names none of the files, as they are about to be moved.

    Raises:
        ValueError: It names one, such as in ``load_from``.
    """
    own = {os.path.abspath(path) for path in earlier}
    for text in _strings(config):
        if os.path.abspath(text) in own:
            raise ValueError(
                f'The config names {text}, but that is of an earlier run in the work directory of '
                'this one; give another --work-dir, or go on with that run by --resume.'
            )


def set_aside(earlier: Sequence[Path]) -> str:
    """Move the files of an earlier training to a folder beside them; say what was moved where."""
    work_dir = earlier[0].parent
    folder = work_dir / f'earlier_{datetime.now():%Y%m%d_%H%M%S_%f}'
    run = _describe(work_dir / 'train.json')
    folder.mkdir()
    for path in earlier:
        path.rename(folder / path.name)
    return (
        f'{work_dir} held an earlier run{run}: its checkpoints, logs and results are now in '
        f'{folder}. To go on with a run, use --resume.'
    )


def _describe(record: Path) -> str:
    if not record.is_file():
        return ' that was not finished'
    (run,) = read_results([record])
    return f' of {run["config"]}, seed {run["seed"]}, of {run["date"]}'


def _strings(node: Any) -> Iterator[str]:
    if isinstance(node, str):
        yield node
    elif isinstance(node, Mapping | list | tuple):
        for child in node.values() if isinstance(node, Mapping) else node:
            yield from _strings(child)
