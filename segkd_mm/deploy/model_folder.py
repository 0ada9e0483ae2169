"""A model as a folder to share: its config as plain data and its weights, neither of them code."""

import inspect
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import mmengine.registry
import mmseg.registry
from mmengine.config import Config
from mmengine.registry import Registry
from mmseg.models.segmentors.base import BaseSegmentor
from safetensors.torch import save_file

from segkd_mm.config import image_pipeline, plain_student
from segkd_mm.deploy.loading import AUXILIARY_HEADS, class_names
from segkd_mm.files import written_aside
from segkd_mm.version import __version__
from segkd_mm.weights import HF, hub_files, read_state_dict

FILES = CONFIG, WEIGHTS = 'segkd_mm.json', 'model.safetensors'
TUPLE = '__tuple__'  # JSON has lists alone, and mmcv tells them apart
# Arguments of weights at the start of a training, which are no part of a trained model: with them
# the folder would name files of the machine that it was written on.
INITIAL = {'weights', 'backbone_weights', 'unpruned', 'pretrained', 'checkpoint_path'}
REFUSED_KEYS = {'_scope_', 'trusted'}
OWN_SCOPES = [('_scope_', scope) for scope in ('segkd_mm', 'mmseg')]
# What reads Python configs, other models' files, or the code that a config names.
REFUSED = (
    'segkd_mm.distill', 'segkd_mm.whole_image', 'segkd_mm.deploy', 'mmseg.models.backbones.vpd',
)  # fmt: skip
IF_OWN = 'If it is a component of a package of yours, import that package first.'


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


def without_initial_weights(node: Any) -> Any:
    """The config of a model, or a part of it, without the weights that its training starts from."""
    if isinstance(node, Mapping):
        kept = {k: without_initial_weights(v) for k, v in node.items() if not _is_initial(k, v)}
        return {**kept, 'pretrained': False} if _downloads(node) else kept
    children = [without_initial_weights(child) for child in _items(node)]
    return type(node)(children) if isinstance(node, list | tuple) else node


def _is_initial(key: str, value: object) -> bool:
    kinds = {_short_type(one) for one in _items(value) or [value]}
    return key in INITIAL or (key == 'init_cfg' and bool(kinds & {'Pretrained', 'PretrainedInit'}))


def _downloads(node: Mapping) -> bool:
    """Whether ``pretrained`` is a switch of the component: mmseg's TIMMBackbone has it on."""
    return _short_type(node) == 'TIMMBackbone' or isinstance(node.get('pretrained'), bool)


def _short_type(node: object) -> str:
    return (_type_of(node) or '').rpartition('.')[2]


def write_model_folder(folder: Path, config: Config, checkpoint: str) -> None:
    """Write the config and the weights of a config's student, without auxiliary heads.

    Raises:
        ValueError: A component or a key would be refused by :func:`read_model_folder`.
        WeightsError: The checkpoint cannot be read.
    """
    student = plain_student(config)
    model = {k: v for k, v in student.model.to_dict().items() if k not in AUXILIARY_HEADS}
    pipeline = image_pipeline(student)
    content = dict(model=model, pipeline=pipeline, **class_names(student), version=__version__)
    content = _without_own_scope(content)
    _check_is_data(content, config.filename)
    left_out = ('terms.', *(f'{name}.' for name in AUXILIARY_HEADS))
    state = read_state_dict(checkpoint)
    kept = {k: v.contiguous() for k, v in state.items() if not k.startswith(left_out)}
    with written_aside(folder / CONFIG) as aside:
        aside.write_text(json.dumps(_encoded(content), indent=1) + '\n', encoding='utf-8')
    with written_aside(folder / WEIGHTS) as aside:
        save_file(kept, aside, metadata={'format': 'pt'})


def _without_own_scope(node: Any) -> Any:
    """Without what mmengine adds to what comes from bases such as ``segkd_mm::student/...``.

    Their types are in mmseg's registries, where they are found without it.
    """
    if isinstance(node, Mapping):
        items = {k: _without_own_scope(v) for k, v in node.items()}
        return {k: v for k, v in items.items() if (k, v) not in OWN_SCOPES}
    return type(node)(map(_without_own_scope, node)) if isinstance(node, list | tuple) else node


def read_model_folder(folder: str | os.PathLike) -> dict:
    """The content of ``segkd_mm.json``: ``model``, ``pipeline``, ``classes`` and ``palette``.

    It is data: what could run code when the model is built is refused.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is damaged, or could run code.
    """
    path = Path(folder, CONFIG)
    try:
        content = json.loads(path.read_text(encoding='utf-8'), object_hook=_decoded)
        missing = {'model', 'pipeline', 'classes', 'palette'} - {*content}
    except (TypeError, ValueError) as error:
        raise ValueError(f'{path}: damaged, or not written by segkd push ({error}).') from error
    if missing:
        raise ValueError(f'{path} has no {", ".join(sorted(missing))}; push the model again.')
    _check_is_data(content, path)
    return content


def _check_is_data(content: dict, source: str | os.PathLike) -> None:
    """Check that only a segmentor of registered components is built, and nothing is run.

    mmengine imports a ``type`` that is not registered and the package that ``_scope_`` names; a
    teacher reads Python configs, and with ``trusted`` pickles.
    """
    known = {name: one for registry in _registries() for name, one in registry.module_dict.items()}
    root = known.get(_type_of(content['model']))
    if not (inspect.isclass(root) and issubclass(root, BaseSegmentor)):
        raise ValueError(f'{source}: its model is no registered segmentor. {IF_OWN}')
    for node in _dicts([content['model'], content['pipeline']]):
        if refused := sorted(REFUSED_KEYS & {*node}):
            raise ValueError(f'{source}: the key {refused[0]!r} could run code, so it is refused.')
        kind = _type_of(node)
        if 'type' in node and (kind not in known or _module(known[kind]).startswith(REFUSED)):
            raise ValueError(
                f'{source}: the type {node["type"]!r} is no name of a registered component of '
                f"segmentors, such as 'FCNHead'. Others could run any code. {IF_OWN}"
            )


def _type_of(node: object) -> str | None:
    kind = node.get('type') if isinstance(node, Mapping) else None
    return kind if isinstance(kind, str) else None


def _module(component: object) -> str:
    return getattr(component, '__module__', '')


def _registries() -> Iterator[Registry]:
    """The registries of models, their initial weights and transforms, with their components."""
    for room in (mmengine.registry, mmseg.registry):
        for one in (room.MODELS, room.WEIGHT_INITIALIZERS, room.TRANSFORMS):
            one.import_from_location()
            yield one


def _dicts(node: object) -> Iterator[Mapping]:
    if isinstance(node, Mapping):
        yield node
    for child in node.values() if isinstance(node, Mapping) else _items(node):
        yield from _dicts(child)


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
