"""mmengine's loader of checkpoints, made to read without running code.

Every way by which mmengine reads a file ends in two functions of ``mmengine.runner.checkpoint``:
``--resume``, ``load_from``, ``init_cfg``, ``load_checkpoint``, ``init_model``, for files, addresses
and model zoos. Both fall back to pickles that run code; importing this module replaces them.
"""

from pathlib import Path
from typing import IO, Any

import torch
from mmengine.runner import checkpoint as mmengine_checkpoint

from segkd_mm.weights.hubs import local_path
from segkd_mm.weights.reading import read_file, safe_reading

IF_TRUSTED = (
    'let torch.serialization.add_safe_globals have the type that is named here, in a module of '
    'custom_imports.'
)


def load_safely(
    file: str | Path | IO[bytes], map_location: Any = None, weights_only: bool | None = None
) -> object:
    """Stands in for mmengine's ``_safe_torch_load``; ``weights_only`` is always on.

    Raises:
        WeightsError: The file holds more than what mm projects write, or is damaged.
    """
    is_path = isinstance(file, str | Path)
    with safe_reading(str(file) if is_path else 'A remote checkpoint', IF_TRUSTED):
        if is_path:
            checkpoint = read_file(Path(file), map_location=map_location)
        else:
            checkpoint = torch.load(file, map_location=map_location, weights_only=True)
    return _without_code(checkpoint)


def _load_url(url: str, *_unused: object, map_location: Any = None, **_named: object) -> object:
    """Stands in for ``torch.hub.load_state_dict_from_url``."""
    return load_safely(local_path(url), map_location)


def _without_code(checkpoint: object) -> object:
    """The checkpoint without the text that mmengine's resume runs as Python."""
    meta = checkpoint.get('meta') if isinstance(checkpoint, dict) else None
    if isinstance(meta, dict):
        meta.pop('config', None)
    return checkpoint


for name, function in (('_safe_torch_load', load_safely), ('load_url', _load_url)):
    getattr(mmengine_checkpoint, name)  # another version may have no such function to replace
    setattr(mmengine_checkpoint, name, function)
