"""JSON result files: measured values with the command, the date and the environment."""

import json
import math
import os
import shlex
import sys
from collections.abc import Iterable, Mapping
from datetime import datetime, timezone
from hashlib import sha256
from pathlib import Path

import numpy as np

from segkd_mm.files import written_aside
from segkd_mm.formats import files_of
from segkd_mm.json_files import NUMBER, JsonObject, read_object
from segkd_mm.measure.environment import environment

# The types of the project's keys, where a result has them.
NONE = type(None)
KINDS = {
    'config': str, 'checkpoint': (str, NONE), 'checkpoint_sha256': (str, NONE), 'command': str,
    'date': str, 'environment': dict, 'dataset': str, 'split': str, 'images': (int, list),
    'metrics': dict, 'per_class': dict, 'per_class_recall': dict, 'per_class_precision': dict,
    'per_class_share': dict, 'parameters': (*NUMBER, NONE), 'training': (dict, NONE),
    'table': list, 'models': list,
}  # fmt: skip
# The types of the values below some of them.
NUMBERS = dict.fromkeys(
    ('metrics', 'per_class', 'per_class_recall', 'per_class_precision', 'per_class_share'),
    (*NUMBER, NONE),
)


def write_result(path: str | os.PathLike, payload: Mapping) -> None:
    """Write a result with the command line, the date (UTC) and the environment added.

    A long run passes its own ``environment``, recorded at its start.

    The project's keys are config, checkpoint, checkpoint_sha256, dataset, seed, metrics (mIoU,
    aAcc, mAcc in percent), per_class (IoU in percent by class), likewise per_class_recall,
    per_class_precision and per_class_share, parameters, gmacs, latency_ms; others are allowed. NaN,
    the IoU of a class without pixels, becomes null.

    Raises:
        TypeError, ValueError: JSON cannot hold a value; the file is not changed.
    """
    stamp = {
        'command': command_line(),
        'date': datetime.now(timezone.utc).isoformat(timespec='seconds'),
        'environment': payload.get('environment') or environment(),
    }
    try:
        text = json.dumps(_plain({**payload, **stamp}), indent=2, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise type(error)(f'{path}: the result cannot be written as JSON: {error}') from error
    with written_aside(path) as aside:
        aside.write_text(text + '\n', encoding='utf-8')


def read_results(paths: Iterable[str | os.PathLike]) -> list[JsonObject]:
    """Read result files, in the order given. A key that one lacks is an error at its use.

    Raises:
        FileNotFoundError: A file is missing.
        JsonFileError: A file is not a JSON object, or a value of the project's keys has another
            type.
    """
    return [_read(Path(path)) for path in paths]


def _read(path: Path) -> JsonObject:
    result = read_object(path, 'a result file', 'Measure again, or remove the file.')
    result.check(KINDS)
    for key in result.keys() & NUMBERS.keys():
        if isinstance(result[key], JsonObject):
            result[key].check(dict.fromkeys(result[key], NUMBERS[key]))
    return result


def checkpoint_digest(checkpoint: str | os.PathLike) -> str | None:
    """Sha256 of a checkpoint or an exported file with its .bin, if any; None if it is no file.

    It binds a result to the weights that it is of.
    """
    path = Path(checkpoint)
    if not path.is_file():
        return None
    hashed = sha256()
    for file in files_of(path):
        with file.open('rb') as content:
            while block := content.read(1 << 20):
                hashed.update(block)
    return hashed.hexdigest()


def is_of_its_checkpoint(path: Path, result: Mapping) -> bool:
    """Whether a result file is of the checkpoint beside it, as that is now, or of none there.

    What is of another, such as of one that a new training has replaced, is named on the console.
    """
    checkpoint = path.parent / Path(result.get('checkpoint') or '').name
    digest = checkpoint_digest(checkpoint)
    if digest in (None, result.get('checkpoint_sha256')):
        return True
    print(f'Ignored: {path}, as {checkpoint} is not what was tested. Test it again.')
    return False


def command_line() -> str:
    """The command that started this process; paths below the working folder are relative."""
    _, *arguments = sys.orig_argv
    # The script that pip makes of the entry point.
    if arguments and Path(arguments[0]).stem == 'segkd':
        return shlex.join(['segkd', *map(_relative, arguments[1:])])
    return shlex.join(['python', *map(_relative, arguments)])


def _relative(argument: str) -> str:
    option, equals, value = argument.rpartition('=')
    if Path(value).is_relative_to(Path.cwd()):
        value = str(Path(value).relative_to(Path.cwd()))
    return option + equals + value


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    return None if isinstance(value, float) and math.isnan(value) else value
