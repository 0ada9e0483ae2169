"""A model as a folder to share: its config as plain data and its weights, neither of them code."""

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import mmengine.registry
import mmseg.registry
from mmengine.config import Config
from mmengine.registry import Registry
from safetensors.torch import save_file

from segkd_mm.config import image_pipeline, plain_student
from segkd_mm.deploy.loading import AUXILIARY_HEADS, class_names
from segkd_mm.files import written_aside
from segkd_mm.version import __version__
from segkd_mm.weights import HF, hub_files, read_state_dict

FILES = CONFIG, WEIGHTS = 'segkd_mm.json', 'model.safetensors'
TUPLE = '__tuple__'  # JSON has lists alone, and mmcv tells them apart


def is_model_folder(source: str | os.PathLike) -> bool:
    """Whether a path, or an address ``hf://OWNER/NAME``, is of a folder with a shared model."""
    return os.fspath(source).startswith(HF) or Path(source, CONFIG).is_file()


def local_model_folder(source: str | os.PathLike) -> Path:
    """The folder itself, or the one of the Hugging Face hub, downloaded.

    Raises:
        WeightsError: It cannot be downloaded.
    """
    name = os.fspath(source)
    return hub_files(name.removeprefix(HF), FILES) if name.startswith(HF) else Path(source)


def write_model_folder(folder: Path, config: Config, checkpoint: str) -> None:
    """Write the config and the weights of a config's student, without auxiliary heads.

    Raises:
        ValueError: A component is named in another way than by its registered name.
        WeightsError: The checkpoint cannot be read.
    """
    student = plain_student(config)
    model = {k: v for k, v in student.model.to_dict().items() if k not in AUXILIARY_HEADS}
    content = dict(
        model=model, pipeline=image_pipeline(student), **class_names(student), version=__version__
    )
    _check_types(content, config.filename)
    left_out = ('terms.', *(f'{name}.' for name in AUXILIARY_HEADS))
    state = read_state_dict(checkpoint)
    kept = {k: v.contiguous() for k, v in state.items() if not k.startswith(left_out)}
    with written_aside(folder / CONFIG) as aside:
        aside.write_text(json.dumps(_encoded(content), indent=1) + '\n', encoding='utf-8')
    with written_aside(folder / WEIGHTS) as aside:
        save_file(kept, aside, metadata={'format': 'pt'})


def read_model_folder(folder: str | os.PathLike) -> dict:
    """The content of ``segkd_mm.json``: ``model``, ``pipeline``, ``classes`` and ``palette``.

    It is data: a ``type`` that is not registered, which mmengine would import, is refused.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is damaged, or a ``type`` is not registered.
    """
    path = Path(folder, CONFIG)
    try:
        content = json.loads(path.read_text(encoding='utf-8'), object_hook=_decoded)
        missing = {'model', 'pipeline', 'classes', 'palette'} - {*content}
    except (TypeError, ValueError) as error:
        raise ValueError(f'{path}: damaged, or not written by segkd push ({error}).') from error
    if missing:
        raise ValueError(f'{path} has no {", ".join(sorted(missing))}; push the model again.')
    _check_types(content, path)
    return content


def _check_types(content: dict, source: str | os.PathLike) -> None:
    """Check that each ``type`` is a registered name: mmengine imports and calls others."""
    known = {name for registry in _registries() for name in registry.module_dict}
    for kind in _types(content):
        if not isinstance(kind, str) or kind not in known:
            raise ValueError(
                f'{source}: the type {kind!r} is no name of a registered component, such as '
                "'FCNHead'. Others could run any code. If it is a component of a package of yours, "
                'import that package first.'
            )


def _registries() -> Iterator[Registry]:
    """All registries of mmengine, mmcv and mmseg, with their components."""
    for one in [*vars(mmengine.registry).values(), *vars(mmseg.registry).values()]:
        if isinstance(one, Registry):
            one.import_from_location()
            yield one


def _types(node: object) -> Iterator[object]:
    if isinstance(node, Mapping):
        yield from [node['type']] if 'type' in node else []
    for child in node.values() if isinstance(node, Mapping) else _items(node):
        yield from _types(child)


def _items(node: object) -> list | tuple:
    return node if isinstance(node, list | tuple) else ()


def _encoded(node: object) -> object:
    """The node with each tuple as a dict, which JSON keeps."""
    if isinstance(node, Mapping):
        return {key: _encoded(child) for key, child in node.items()}
    items = [_encoded(child) for child in _items(node)]
    if isinstance(node, tuple):
        return {TUPLE: items}
    return items if isinstance(node, list) else node


def _decoded(node: dict) -> dict | tuple:
    return tuple(node[TUPLE]) if TUPLE in node else node
