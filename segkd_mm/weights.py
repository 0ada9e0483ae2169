"""Weights from files and hubs: read without running code, loaded strictly or not at all."""

import json
import pickle
import re
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from functools import partial
from hashlib import sha256
from pathlib import Path
from urllib.error import URLError
from urllib.parse import urlparse
from urllib.request import url2pathname
from zipfile import is_zipfile

import numpy as np
import torch
from huggingface_hub import snapshot_download
from mmengine.logging import HistoryBuffer
from mmengine.runner.checkpoint import get_torch_safe_globals
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torchvision.models import get_model_weights, list_models

TORCHVISION = 'torchvision://'
HF = 'hf://'
# What a folder, here or on the Hugging Face hub, may hold its weights in: the first there is.
# An index names the files that hold parts of them.
FOLDER_FILES = (
    'model.safetensors',
    'model.safetensors.index.json',
    'pytorch_model.bin',
    'pytorch_model.bin.index.json',
)
_HUB_PATTERNS = (
    [*FOLDER_FILES[:2], 'model-*-of-*.safetensors'],
    [*FOLDER_FILES[2:], 'pytorch_model-*-of-*.bin'],
)

# Scores in the meta data of mmengine's checkpoints; its own list of safe types has not all of them.
_NUMPY_DTYPES = [getattr(np.dtypes, name) for name in np.dtypes.__all__]


class WeightsError(ValueError):
    """A file of weights that is absent, unsafe, or does not fit its module."""


def read_state_dict(source: str | Path, trusted: bool = False) -> dict[str, Tensor]:
    """Read the state dict in a file of weights or in a checkpoint of any mm project.

    Args:
        source: A path, an ``http(s)://`` or ``file://`` address, ``torchvision://<model>`` for
            torchvision's default weights of that model, a folder with one of ``FOLDER_FILES``, or
            ``hf://<owner>/<name>`` for such a folder on the Hugging Face hub.
        trusted: Allow a pickle that holds more than tensors, and so can run code when it is read.

    Raises:
        WeightsError: The source cannot be reached or read, holds no state dict, or holds more than
            tensors and is not ``trusted``.
    """
    source = str(source)
    try:
        with torch.serialization.safe_globals(_safe_globals()):
            checkpoint = _read(source, weights_only=not trusted)
    except pickle.UnpicklingError as error:
        raise WeightsError(
            f'{source} holds more than tensors, so that reading it could run code '
            f'({_what_is_unsafe(error)}). If you know where the file comes from, say trusted=True '
            'beside it in the config.'
        ) from error
    except (EOFError, RuntimeError, SafetensorError, json.JSONDecodeError) as error:
        raise WeightsError(f'{source} is damaged or cut short ({error}).') from error
    return _state_dict_in(checkpoint, source)


def rename_keys(
    state: Mapping[str, Tensor], names: Mapping[str, str], source: str | Path
) -> dict[str, Tensor]:
    """Give the modules of a state dict other names.

    Args:
        state: The weights.
        names: Dotted module names, old to new; of several that fit a key the longest counts.
        source: Where the weights come from, for the message.

    Raises:
        WeightsError: A name fits no key, or two keys come to one name.
    """
    renamed, used = {}, set()
    for key, tensor in state.items():
        fits = [old for old in names if key == old or key.startswith(old + '.')]
        old = max(fits, key=len, default=None)
        used.add(old)
        renamed[key if old is None else names[old] + key[len(old) :]] = tensor
    if unused := [f'{old}{_close(old, state)}' for old in names if old not in used]:
        raise WeightsError(f'{source} has no key under {", ".join(unused)}.')
    if len(renamed) < len(state):
        raise WeightsError(f'{source}: two keys come to one name by {dict(names)}.')
    return renamed


def load_strictly(
    module: nn.Module, state: Mapping[str, Tensor], source: str | Path, ignore: Iterable[str] = ()
) -> None:
    """Load ``state`` into ``module``; every key and shape must fit, or nothing is loaded.

    A module whose files have other keys than itself says by a method ``to_own_keys(state, source)``
    how those become its own.

    Args:
        module: The module to fill.
        state: Its weights.
        source: Where they come from, for the message.
        ignore: Prefixes of keys which may be missing on either side.

    Raises:
        WeightsError: As of :func:`check_fit`.
    """
    ignore = tuple(ignore)
    state = {k: v for k, v in state.items() if not k.startswith(ignore)}
    if hasattr(module, 'to_own_keys') and state.keys() != module.state_dict().keys():
        state = module.to_own_keys(state, source)
    check_fit(module, state, source, ignore)
    module.load_state_dict(state, strict=not ignore)


def check_fit(
    module: nn.Module, state: Mapping[str, Tensor], source: str | Path, ignore: Iterable[str] = ()
) -> None:
    """Hold ``state`` against ``module``: the check of :func:`load_strictly`, without the loading.

    Raises:
        WeightsError: Lists what is missing, unexpected or of another shape, with close matches.
    """
    ignore = tuple(ignore)
    own = {k: v for k, v in module.state_dict().items() if not k.startswith(ignore)}
    state = {k: v for k, v in state.items() if not k.startswith(ignore)}
    shapes = {
        key: f'shape {tuple(state[key].shape)} in the file, {tuple(mine.shape)} in the model'
        for key, mine in own.items()
        if key in state and state[key].shape != mine.shape
    }
    faults = [
        *(('missing', key, state) for key in own if key not in state),
        *(('unexpected', key, own) for key in state if key not in own),
        *((what, key, ()) for key, what in shapes.items()),
    ]
    if faults:
        # Close matches are sought for what is shown alone: of a foreign file nothing fits.
        shown = [f'{what}: {key}{_close(key, others)}' for what, key, others in faults[:12]]
        raise WeightsError(
            f'{source} does not fit {type(module).__name__} ({len(faults)} of {len(own)} keys '
            f'differ):\n  '
            + '\n  '.join(shown + ['...'] * (len(faults) > 12))
            + '\nCheck that the file was made for this architecture and number of classes.'
        )


def digest(state: Mapping[str, Tensor]) -> str:
    """A sha256 of what a state dict holds, whatever file it came from."""
    found = sha256()
    for key, tensor in sorted(state.items()):
        found.update(f'{key} {tensor.dtype} {tuple(tensor.shape)} '.encode())
        found.update(tensor.detach().cpu().reshape(-1).view(torch.uint8).numpy())
    return found.hexdigest()


def leave_out_of_keys(module: nn.Module, child: str, beside: Iterable[str] = ()) -> None:
    """Let the keys of a module be those of its submodule, without the name of that in front.

    Args:
        module: The module whose keys are shortened, where it saves and where it loads.
        child: Name of the submodule.
        beside: Prefixes of the keys which are not the submodule's.
    """
    # mmengine saves by functions of its own, which pass over `state_dict` and run its hooks.
    module.register_state_dict_post_hook(partial(_drop_prefix, child + '.'))
    module.register_load_state_dict_pre_hook(partial(_add_prefix, child + '.', tuple(beside)))


def _drop_prefix(child: str, _module: nn.Module, state: dict, prefix: str, _metadata: dict) -> None:
    for part in (state, getattr(state, '_metadata', {})):
        keys = [key for key in part if key.startswith(prefix + child)]
        part.update({prefix + key.removeprefix(prefix + child): part.pop(key) for key in keys})


def _add_prefix(
    child: str,
    beside: tuple[str, ...],
    _module: nn.Module,
    state: dict,
    prefix: str,
    *_unused: dict | bool | list,
) -> None:
    others = tuple(prefix + name for name in beside)
    keys = [key for key in state if key.startswith(prefix) and not key.startswith(others)]
    state.update({prefix + child + key.removeprefix(prefix): state.pop(key) for key in keys})


def _safe_globals() -> list[type | Callable | tuple[Callable, str]]:
    """What mm checkpoints hold besides tensors: arrays, and histories of what was logged."""
    others = [one for one in get_torch_safe_globals() if one is not getattr]
    return [*others, *_NUMPY_DTYPES, (_history_statistic, 'builtins.getattr')]


def _history_statistic(owner: object, name: str) -> Callable:
    # A pickled history names its statistics by `getattr`. mmengine allows all of that, and so lets
    # a file reach `exec` by way of `getattr.__self__`.
    if owner is not HistoryBuffer or name.startswith('_'):
        raise pickle.UnpicklingError(f'it takes the attribute {name!r} of an object')
    return getattr(owner, name)


def _read(source: str, weights_only: bool) -> object:
    path = _local_path(source)
    if path.is_dir():
        return _read_folder(path, weights_only)
    return _read_file(path, weights_only)


def _read_folder(folder: Path, weights_only: bool) -> dict[str, Tensor]:
    path = next((folder / name for name in FOLDER_FILES if (folder / name).is_file()), None)
    if path is None:
        raise WeightsError(
            f'The folder {folder} has no weights: none of {", ".join(FOLDER_FILES)}.'
        )
    if path.suffix != '.json':
        return _read_file(path, weights_only)
    parts = sorted(set(json.loads(path.read_text())['weight_map'].values()))
    return {k: v for part in parts for k, v in _read_file(folder / part, weights_only).items()}


def _read_file(path: Path, weights_only: bool) -> object:
    if not path.is_file():
        raise WeightsError(f'No file of weights at {path} (looked in {Path.cwd()}).')
    if path.suffix == '.safetensors':
        return load_file(path)
    _check_is_checkpoint(path)
    return torch.load(path, map_location='cpu', weights_only=weights_only)


def _torchvision_url(source: str) -> str:
    name = source.removeprefix(TORCHVISION)
    if name not in list_models():
        raise WeightsError(
            f'{source}: torchvision has no model {name}{_close(name, list_models())}.'
        )
    return get_model_weights(name).DEFAULT.url


def _local_path(source: str) -> Path:
    if source.startswith(HF):
        return _hub_folder(source.removeprefix(HF))
    if source.startswith(TORCHVISION):
        source = _torchvision_url(source)
    address = urlparse(source)
    if address.scheme in ('http', 'https'):
        return _fetch(source)
    return Path(url2pathname(address.path) if address.scheme == 'file' else source)


def _hub_folder(name: str) -> Path:
    """The folder of a model of the Hugging Face hub, with its weights, from the hub's cache."""
    try:
        for patterns in _HUB_PATTERNS:
            folder = Path(snapshot_download(name, allow_patterns=patterns))
            if any((folder / file).is_file() for file in FOLDER_FILES):
                break
        return folder
    except (OSError, ValueError) as error:
        raise WeightsError(
            f'Could not fetch {HF}{name} ({str(error).splitlines()[0]}). Get the folder where the '
            f'hub can be reached, by `hf download {name} --local-dir DIR`, and give DIR in place '
            'of this address.'
        ) from error


def _fetch(url: str) -> Path:
    """The file at an address, from torch.hub's cache once it is there."""
    name = Path(urlparse(url).path).name
    folder = Path(torch.hub.get_dir(), 'checkpoints')
    digest = re.search(r'-([0-9a-f]{8,})\.', name)
    if not digest:
        # The name says nothing of the content: many files are called best.pth.
        folder /= sha256(url.encode()).hexdigest()[:16]
    path = folder / name
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        try:
            torch.hub.download_url_to_file(url, str(path), digest and digest[1])
        except (URLError, OSError) as error:
            raise WeightsError(
                f'Could not fetch {url} ({error}). Get the file {name} in another way and give '
                'its local path in place of this address.'
            ) from error
    return path


def _check_is_checkpoint(path: Path) -> None:
    with path.open('rb') as file:
        start = file.read(40)
    if not start.startswith(pickle.PROTO) and not is_zipfile(path):
        raise WeightsError(
            f'{path} is no file of weights, or is cut short; it starts with {start!r}. A web page '
            'or a Git LFS pointer may stand in its place.'
        )


def _what_is_unsafe(error: pickle.UnpicklingError) -> str:
    # torch wraps the one line that matters in advice to read the file unsafely.
    return str(error).split('WeightsUnpickler error:')[-1].strip().split('\n')[0]


def _state_dict_in(checkpoint: object, source: str) -> dict[str, Tensor]:
    state = checkpoint.get('state_dict', checkpoint) if isinstance(checkpoint, Mapping) else None
    if isinstance(state, Mapping):
        tensors = {k: v for k, v in state.items() if isinstance(k, str) and torch.is_tensor(v)}
        if tensors:
            return {k.removeprefix('module.'): v for k, v in tensors.items()}
    raise WeightsError(f'{source} holds no state dict, but a {type(checkpoint).__name__}.')


def _close(key: str, keys: Iterable[str]) -> str:
    matches = get_close_matches(key, keys, n=1, cutoff=0.8)
    return f' (close: {matches[0]})' if matches else ''
