"""Weights from files and hubs: read without running code, loaded strictly or not at all."""

import pickle
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from urllib.error import URLError
from urllib.parse import urlparse

import numpy as np
import torch
from mmengine.runner.checkpoint import get_torch_safe_globals
from safetensors.torch import load_file
from torch import Tensor, nn
from torchvision.models import get_model_weights

TORCHVISION = 'torchvision://'

# Scores in the meta data of mmengine's checkpoints; its own list of safe types has not all of them.
_NUMPY_DTYPES = [getattr(np.dtypes, name) for name in np.dtypes.__all__]


class WeightsError(ValueError):
    """A file of weights that is absent, unsafe, or does not fit its module."""


def read_state_dict(source: str | Path, trusted: bool = False) -> dict[str, Tensor]:
    """Read the state dict in a file of weights or in a checkpoint of any mm project.

    Args:
        source: A path, an ``http(s)://`` or ``file://`` address, or ``torchvision://<model>`` for
            torchvision's default weights of that model.
        trusted: Allow a pickle that holds more than tensors, and so can run code when it is read.

    Raises:
        WeightsError: The source cannot be reached, holds no state dict, or holds more than tensors
            and is not ``trusted``.
    """
    source = str(source)
    try:
        with torch.serialization.safe_globals([*get_torch_safe_globals(), *_NUMPY_DTYPES]):
            checkpoint = _read(source, weights_only=not trusted)
    except pickle.UnpicklingError as error:
        raise WeightsError(
            f'{source} holds more than tensors, so that reading it could run code '
            f'({_what_is_unsafe(error)}). If you know where the file comes from, say trusted=True '
            'beside it in the config.'
        ) from error
    return _state_dict_in(checkpoint, source)


def load_strictly(
    module: nn.Module, state: Mapping[str, Tensor], source: str | Path, ignore: Iterable[str] = ()
) -> None:
    """Load ``state`` into ``module``; every key and shape must fit, or nothing is loaded.

    Args:
        module: The module to fill.
        state: Its weights.
        source: Where they come from, for the message.
        ignore: Prefixes of keys which may be missing on either side.

    Raises:
        WeightsError: Lists what is missing, unexpected or of another shape, with close matches.
    """
    ignore = tuple(ignore)
    own = {k: v for k, v in module.state_dict().items() if not k.startswith(ignore)}
    state = {k: v for k, v in state.items() if not k.startswith(ignore)}
    faults = [
        *(f'missing: {k}{_close(k, state)}' for k in own if k not in state),
        *(f'unexpected: {k}{_close(k, own)}' for k in state if k not in own),
        *(
            f'shape: {k} is {tuple(state[k].shape)} in the file, {tuple(own[k].shape)} in the model'
            for k in own
            if k in state and state[k].shape != own[k].shape
        ),
    ]
    if faults:
        shown = '\n  '.join(faults[:12] + (['...'] if len(faults) > 12 else []))
        raise WeightsError(
            f'{source} does not fit {type(module).__name__} ({len(faults)} of {len(own)} keys '
            f'differ):\n  {shown}\nCheck that the file was made for this architecture and '
            'number of classes.'
        )
    module.load_state_dict(state, strict=not ignore)


def _read(source: str, weights_only: bool) -> object:
    if source.startswith(TORCHVISION):
        source = get_model_weights(source.removeprefix(TORCHVISION)).DEFAULT.url
    if urlparse(source).scheme in ('http', 'https', 'file'):
        return _download(source, weights_only)
    if not Path(source).is_file():
        raise WeightsError(f'No file of weights at {source} (looked in {Path.cwd()}).')
    if source.endswith('.safetensors'):
        return load_file(source)
    return torch.load(source, map_location='cpu', weights_only=weights_only)


def _download(url: str, weights_only: bool) -> object:
    try:
        return torch.hub.load_state_dict_from_url(
            url, map_location='cpu', check_hash=True, weights_only=weights_only
        )
    except (URLError, OSError) as error:
        raise WeightsError(
            f'Could not fetch {url} ({error}). Get the file {Path(urlparse(url).path).name} in '
            'another way and give its local path in place of this address.'
        ) from error


def _what_is_unsafe(error: pickle.UnpicklingError) -> str:
    # torch wraps the one line that matters in advice to read the file unsafely.
    return str(error).split('WeightsUnpickler error:')[-1].strip().split('\n')[0]


def _state_dict_in(checkpoint: object, source: str) -> dict[str, Tensor]:
    if isinstance(checkpoint, Mapping):
        state = checkpoint.get('state_dict', checkpoint)
        state = {k.removeprefix('module.'): v for k, v in state.items() if torch.is_tensor(v)}
        if state:
            return state
    raise WeightsError(f'{source} holds no state dict, but a {type(checkpoint).__name__}.')


def _close(key: str, keys: Iterable[str]) -> str:
    matches = get_close_matches(key, keys, n=1, cutoff=0.8)
    return f' (close: {matches[0]})' if matches else ''
