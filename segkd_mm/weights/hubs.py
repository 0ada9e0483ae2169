"""Download of weights from torchvision, the Hugging Face hub and http(s) addresses."""

import re
import shutil
from collections.abc import Sequence
from hashlib import sha256
from http.client import HTTPException
from pathlib import Path
from urllib.error import URLError
from urllib.parse import urlparse
from urllib.request import Request, url2pathname, urlopen

import torch
from huggingface_hub import snapshot_download
from rich.console import Console
from rich.progress import wrap_file
from torchvision.models import get_model_weights, list_models

from segkd_mm.files import written_aside
from segkd_mm.hints import did_you_mean
from segkd_mm.weights.error import WeightsError

TORCHVISION = 'torchvision://'
HF = 'hf://'
# Names of weights files in a folder, local or on the Hugging Face hub, in order of preference. An
# index lists the files that hold parts of the weights.
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


def local_path(source: str) -> Path:
    """Local file or folder of a source of weights, downloaded if it is on a hub or at an address.

    Args:
        source: As of :func:`segkd_mm.weights.read_state_dict`.

    Raises:
        WeightsError: It cannot be downloaded, or the hub has no such model.
    """
    if source.startswith(HF):
        return _hub_folder(source.removeprefix(HF))
    if source.startswith(TORCHVISION):
        source = _torchvision_url(source)
    address = urlparse(source)
    if address.scheme in ('http', 'https'):
        return _fetch(source)
    return Path(url2pathname(address.path) if address.scheme == 'file' else source)


def _torchvision_url(source: str) -> str:
    name = source.removeprefix(TORCHVISION)
    if name not in list_models():
        raise WeightsError(
            f'{source}: torchvision has no model {name}{did_you_mean(name, list_models())}.'
        )
    return get_model_weights(name).DEFAULT.url


def hub_files(name: str, patterns: Sequence[str]) -> Path:
    """Download files of a model of the Hugging Face hub to the hub's cache: their folder.

    Raises:
        WeightsError: They cannot be downloaded.
    """
    try:
        return Path(snapshot_download(name, allow_patterns=[*patterns]))
    except (OSError, ValueError) as error:
        raise WeightsError(
            f'Could not fetch {HF}{name} ({str(error).splitlines()[0]}). Where the hub can be '
            f'reached, run `hf download {name} --local-dir DIR`, and give DIR instead of this '
            'address.'
        ) from error


def _hub_folder(name: str) -> Path:
    """Download the weights of a model of the Hugging Face hub to the hub's cache folder."""
    for patterns in _HUB_PATTERNS:
        folder = hub_files(name, patterns)
        if any((folder / file).is_file() for file in FOLDER_FILES):
            break
    return folder


def _fetch(url: str) -> Path:
    """Download a file to torch.hub's cache, unless it is already there."""
    name = Path(urlparse(url).path).name
    folder = Path(torch.hub.get_dir(), 'checkpoints')
    digest = re.search(r'-([0-9a-f]{8,})\.', name)
    if not digest:
        # The name does not identify the content: many files are called best.pth.
        folder /= sha256(url.encode()).hexdigest()[:16]
    path = folder / name
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        try:
            if digest:
                torch.hub.download_url_to_file(url, str(path), digest[1])
            else:
                _fetch_unnamed(url, path)
        except (URLError, OSError, HTTPException) as error:
            raise WeightsError(
                f'Could not fetch {url} ({error}). Get the file {name} in another way and give '
                'its local path instead of this address.'
            ) from error
    return path


def _fetch_unnamed(url: str, path: Path) -> None:
    """Download a file whose name has no digest: torch.hub would take half of one for the whole."""
    request, console = Request(url, headers={'User-Agent': 'torch.hub'}), Console(stderr=True)
    with urlopen(request) as response, written_aside(path) as aside, aside.open('wb') as file:
        length = int(response.headers['Content-Length'] or 0)
        with wrap_file(response, length, description=path.name, console=console) as stream:
            shutil.copyfileobj(stream, file)
        if file.tell() < length:
            raise OSError(f'the connection broke at {file.tell():,} of {length:,} bytes')
