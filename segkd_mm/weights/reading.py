"""Safe reading of state dicts from files, without running code."""

import json
import pickle
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any
from zipfile import is_zipfile

import numpy as np
import torch
from mmengine.logging import HistoryBuffer
from mmengine.runner.checkpoint import get_torch_safe_globals
from safetensors.torch import load_file
from torch import Tensor

from segkd_mm.weights.error import WeightsError
from segkd_mm.weights.hubs import FOLDER_FILES, local_path

# Types of scores in mmengine's checkpoint metadata; mmengine's list of safe types lacks some.
_NUMPY_DTYPES = [getattr(np.dtypes, name) for name in np.dtypes.__all__]


def read_state_dict(source: str | Path, trusted: bool = False) -> dict[str, Tensor]:
    """Read the state dict of a weights file or of a checkpoint of any mm project.

    Args:
        source: A path, an ``http(s)://`` or ``file://`` address, ``torchvision://<model>`` for
            torchvision's default weights of that model, a folder with one of ``FOLDER_FILES``, or
            ``hf://<owner>/<name>`` for such a folder on the Hugging Face hub.
        trusted: Allow a pickle that holds more than tensors and can run code when it is read.

    Raises:
        WeightsError: The source cannot be reached or read, holds no state dict, or holds more than
            tensors and is not ``trusted``.
    """
    source = str(source)
    with safe_reading(source, 'set trusted=True beside it in the config.'):
        checkpoint = _read(source, weights_only=not trusted)
    return _state_dict_in(checkpoint, source)


@contextmanager
def safe_reading(source: str, if_trusted: str) -> Iterator[None]:
    """Context in which ``torch.load(..., weights_only=True)`` reads what mm projects write.

    Args:
        source: Name of what is read, for messages.
        if_trusted: What to do with a file that holds more but is trusted, for the message.

    Raises:
        WeightsError: The file holds more than tensors, or is damaged.
    """
    try:
        with torch.serialization.safe_globals(_safe_globals()):
            yield
    except pickle.UnpicklingError as error:
        raise WeightsError(
            f'{source} holds more than tensors, so that reading it could run code '
            f'({_unsafe_content(error)}). If you trust the source of the file, {if_trusted}'
        ) from error
    except (MemoryError, OSError, WeightsError):
        raise
    except (AttributeError, ImportError) as error:  # of a pickle that is trusted
        raise WeightsError(
            f'{source} needs code that is not there ({error}): install the package that it was '
            'saved with, or save the state dict alone.'
        ) from error
    except Exception as error:  # what torch raises depends on where the content is damaged
        raise WeightsError(
            f'{source} is damaged or cut short ({error}); download or copy it again.'
        ) from error


def _safe_globals() -> list[type | Callable | tuple[Callable, str]]:
    """Types that mm checkpoints hold besides tensors: arrays and logged histories."""
    types = [one for one in get_torch_safe_globals() if one is not getattr]
    return [*types, *_NUMPY_DTYPES, (_history_statistic, 'builtins.getattr')]


def _history_statistic(owner: object, name: str) -> Callable:
    # A pickled history refers to its statistics by `getattr`. mmengine allows any use of getattr,
    # so that a file can reach `exec` by `getattr.__self__`.
    if owner is not HistoryBuffer or name.startswith('_'):
        raise pickle.UnpicklingError(f'it takes the attribute {name!r} of an object')
    return getattr(owner, name)


def _read(source: str, weights_only: bool) -> object:
    path = local_path(source)
    if path.is_dir():
        return _read_folder(path, weights_only)
    return read_file(path, weights_only)


def _read_folder(folder: Path, weights_only: bool) -> dict[str, Tensor]:
    path = next((folder / name for name in FOLDER_FILES if (folder / name).is_file()), None)
    if path is None:
        raise WeightsError(
            f'The folder {folder} has no weights: none of {", ".join(FOLDER_FILES)}.'
        )
    if path.suffix != '.json':
        return read_file(path, weights_only)
    parts = _parts(path)
    return {k: v for part in parts for k, v in read_file(folder / part, weights_only).items()}


def _parts(path: Path) -> list[str]:
    """The files that an index names, which lie beside it."""
    content = json.loads(path.read_text(encoding='utf-8'))
    names = content.get('weight_map') if isinstance(content, dict) else None
    names = [*names.values()] if isinstance(names, dict) else [None]
    for name in names:
        if not isinstance(name, str) or Path(name).name != name:
            raise WeightsError(
                f'{path}: found {name!r:.80} in its weight_map, expected names of files beside it. '
                'Download the folder again.'
            )
    return sorted(set(names))


def read_file(path: Path, weights_only: bool = True, map_location: Any = 'cpu') -> object:
    """Content of a file of weights or a checkpoint, inside :func:`safe_reading`.

    Raises:
        WeightsError: There is no such file, or it is of no such kind.
    """
    if not path.is_file():
        raise WeightsError(f'No file of weights at {path} (looked in {Path.cwd()}).')
    if path.suffix == '.safetensors':
        return load_file(path)
    _check_is_checkpoint(path)
    return torch.load(path, map_location=map_location, weights_only=weights_only)


def _check_is_checkpoint(path: Path) -> None:
    with path.open('rb') as file:
        start = file.read(40)
    if not start.startswith(pickle.PROTO) and not is_zipfile(path):
        raise WeightsError(
            f'{path} is no file of weights, or is cut short; it starts with {start!r}. It may be a '
            'web page or a Git LFS pointer; download the file itself.'
        )


def _unsafe_content(error: pickle.UnpicklingError) -> str:
    # The rest of torch's message advises to read the file unsafely.
    text = str(error).split('WeightsUnpickler error:')[-1]
    lines = [line.strip() for line in text.split('\n') if line.strip()]
    return next(line for line in lines if not line.startswith('Weights only load failed'))


def _state_dict_in(checkpoint: object, source: str) -> dict[str, Tensor]:
    state = checkpoint.get('state_dict', checkpoint) if isinstance(checkpoint, Mapping) else None
    if isinstance(state, Mapping):
        tensors = {k: v for k, v in state.items() if isinstance(k, str) and torch.is_tensor(v)}
        if tensors:
            return {k.removeprefix('module.'): v for k, v in tensors.items()}
    raise WeightsError(
        f'{source} holds no state dict, but a {type(checkpoint).__name__}; expected a dict of '
        'tensors, or one under the key state_dict.'
    )


def digest(state: Mapping[str, Tensor]) -> str:
    """Sha256 of the keys and tensors of a state dict, independent of the file format."""
    hashed = sha256()
    for key, tensor in sorted(state.items()):
        hashed.update(f'{key} {tensor.dtype} {tuple(tensor.shape)} '.encode())
        hashed.update(tensor.detach().cpu().reshape(-1).view(torch.uint8).numpy())
    return hashed.hexdigest()
