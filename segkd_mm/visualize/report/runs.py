"""What a report knows of a training: its record, its log, its test result and its label maps."""

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from segkd_mm.json_files import JsonObject
from segkd_mm.results.files import read_results
from segkd_mm.results.speed_accuracy import tested_images
from segkd_mm.results.training_log import LOGS, TrainingLog, read_log
from segkd_mm.visualize.curves import short_names
from segkd_mm.visualize.label_maps import INDEX

RESULTS = 'test_test.json', 'test_val.json', 'test_*.json'  # the first that is there
WRITTEN = 'train.json', 'test_*.json', LOGS  # what makes a folder a work directory
TEACHER = 'teacher.checkpoint'  # the end of its key in config.json
DISTILLED, PLAIN, TAUGHT_BY = 'distilled student', 'trained on labels', 'teacher'


@dataclass(frozen=True)
class Run:
    """A training by its work directory; what it does not have is None.

    ``role`` says what was trained, ``training`` is train.json, ``result`` the file of a test and
    ``tested`` what is in it, ``label_maps`` their folder.
    """

    name: str
    folder: Path
    role: str
    training: dict | None
    log: TrainingLog | None
    result: Path | None
    tested: dict | None
    label_maps: Path | None

    @property
    def miou(self) -> float | None:
        """mIoU of the test in percent."""
        return (self.tested or {}).get('metrics', {}).get('mIoU')

    @property
    def images(self) -> str | None:
        """What it was tested on."""
        if not self.tested:
            return None
        return tested_images(self.tested).replace('test', self.tested['split'], 1)


def read_runs(work_dirs: Sequence[str | os.PathLike]) -> list[Run]:
    """Read work directories and, after them, those of their teachers that have been tested.

    Raises:
        FileNotFoundError, ValueError: A folder is no work directory, or a file in it is damaged.
    """
    folders = list(dict.fromkeys(Path(os.path.abspath(folder)) for folder in work_dirs))
    for folder in folders:
        check_work_dir(folder)
    teachers = list(dict.fromkeys(t for folder in folders for t in _teachers(folder)))
    names = short_names([*folders, *(one for one in teachers if one not in folders)])
    return [_read(name, Path(folder), Path(folder) in teachers) for name, folder in names.items()]


def check_work_dir(folder: Path) -> None:
    """Check that a folder is the work directory of a training.

    Raises:
        FileNotFoundError: It is not there, or holds nothing that a training or a test writes.
    """
    if _is_work_dir(folder):
        return
    inside = sorted(p.name for p in folder.glob('*') if p.is_dir() and _is_work_dir(p))
    there = f'; these folders in it are: {", ".join(inside)}' if inside else ''
    found = f'not a work directory: no {", ".join(WRITTEN)} in it' if folder.is_dir() else 'missing'
    raise FileNotFoundError(
        f'{folder}: {found}. Expected the folder that segkd train wrote to, such as '
        f'work_dirs/CONFIG{there}.'
    )


def _is_work_dir(folder: Path) -> bool:
    return any(next(folder.glob(pattern), None) for pattern in WRITTEN)


def _teachers(folder: Path) -> Iterator[Path]:
    """The work directory of the teacher, if it has a test result."""
    for key, value in _config(folder).items():
        if key.endswith(TEACHER) and isinstance(value, str):
            home = Path(os.path.abspath(value)).parent
            if Path(value).is_file() and _result(home):
                yield home


def _config(folder: Path) -> dict:
    """The settings in config.json by dotted key."""
    path = folder / 'config.json'
    if not path.is_file():
        return {}
    try:
        return {key: json.loads(text) for key, text in json.loads(path.read_bytes()).items()}
    except (AttributeError, TypeError, ValueError) as error:
        raise ValueError(
            f'{path}: not the settings of a training ({error}). Remove it, or train again.'
        ) from error


def _result(folder: Path) -> Path | None:
    found = (path for pattern in RESULTS for path in sorted(folder.glob(pattern)))
    return next(found, None)


def _read(name: str, folder: Path, is_teacher: bool) -> Run:
    record, result = folder / 'train.json', _result(folder)
    tested = read_results([result])[0] if result else None
    distilled = _config(folder).get('model.type') == 'SegDistiller'
    return Run(
        name=name,
        folder=folder,
        role=TAUGHT_BY if is_teacher else DISTILLED if distilled else PLAIN,
        training=_training(record) if record.is_file() else None,
        log=_log(folder),
        result=result,
        tested=tested,
        label_maps=_label_maps(folder, tested),
    )


def _training(record: Path) -> JsonObject:
    """The record of a training, which names its config."""
    (training,) = read_results([record])
    _ = training['config']  # which says so where it is missing
    return training


def _log(folder: Path) -> TrainingLog | None:
    try:
        return read_log(folder)
    except FileNotFoundError:  # such as a teacher from elsewhere that was tested alone
        return None


def _label_maps(folder: Path, tested: dict | None) -> Path | None:
    pictures = (tested or {}).get('pictures')
    places = [Path(pictures), folder / Path(pictures).name] if pictures else []
    return next((place for place in places if (place / INDEX).is_file()), None)
