"""Losses, scores and times of a training, read from mmengine's log files."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from segkd_mm.json_files import NUMBER, parsed_object

LOGS = '*/vis_data/scalars.json'


@dataclass
class TrainingLog:
    """Log entries of a training and of its validations; the key ``iter`` is the iteration."""

    train: list[dict[str, float]] = field(default_factory=list)
    val: list[dict[str, float]] = field(default_factory=list)


def read_log(work_dir: str | os.PathLike) -> TrainingLog:
    """Read and join ``WORK_DIR/<time>/vis_data/scalars.json`` of a run and its resumptions.

    A later log replaces the earlier ones from its first iteration on.

    Raises:
        FileNotFoundError: There is no log, or none with a training entry.
        JsonFileError: A line is not an object of numbers in JSON.
    """
    log = TrainingLog()
    files = sorted(Path(work_dir).glob(LOGS))
    for file in files:
        _append(log, _records(file))
    if not log.train:
        found = f'no iteration in {", ".join(map(str, files))}' if files else 'no such file'
        raise FileNotFoundError(
            f'{Path(work_dir, LOGS)}: {found}. Expected the work directory of a training that has '
            'run for default_hooks.logger.interval iterations or more.'
        )
    return log


def _records(file: Path) -> list[dict]:
    records = []
    for number, line in enumerate(file.read_bytes().splitlines(keepends=True), 1):
        # A last line without a line end was not completed, as the run was killed.
        if line.endswith(b'\n'):
            place = f'{file}, line {number}'
            record = parsed_object(line, place, 'Delete the line.')
            # A training that diverged logs NaN.
            record.check(dict.fromkeys(record, NUMBER), finite=False)
            record.check({'iter': int, 'step': int})
            records.append(record)
    return records


def _append(log: TrainingLog, records: Iterable[Mapping]) -> None:
    start = next((record['iter'] for record in records if 'iter' in record), np.inf)
    log.train = [record for record in log.train if record['iter'] < start]
    log.val = [record for record in log.val if record['iter'] < start]
    for record in records:
        if 'iter' in record:
            log.train.append(record)
        else:
            # The step of a validation is an epoch, or an iteration in iteration-based trainings.
            last = log.train[-1]['iter'] if log.train else 0
            log.val.append({**record, 'iter': max(last, record['step'])})
