"""Configs: finding and reading them, checking options, and the plain student in each."""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from traceback import walk_tb
from typing import Any

import yaml
from mmengine.config import Config, ConfigDict
from mmengine.config.config import DELETE_KEY

from segkd_mm.commands import command
from segkd_mm.config_values import check_values
from segkd_mm.hints import did_you_mean

# Before the key of an option: a key that the config does not have.
NEW_KEY = '+'
# Top-level keys that mmengine's Runner reads: an option may add them to any config.
RUNNER_KEYS = (
    'model', 'work_dir', 'train_dataloader', 'val_dataloader', 'test_dataloader', 'train_cfg',
    'val_cfg', 'test_cfg', 'auto_scale_lr', 'optim_wrapper', 'param_scheduler', 'val_evaluator',
    'test_evaluator', 'default_hooks', 'custom_hooks', 'data_preprocessor', 'load_from', 'resume',
    'launcher', 'env_cfg', 'log_processor', 'log_level', 'visualizer', 'default_scope',
    'randomness', 'experiment_name', 'model_wrapper_cfg', 'sync_bn',
)  # fmt: skip
# Others that an option may set: load_config passes them on.
SHARED_KEYS = 'data_root', 'download'
YAML = '.yaml', '.yml'
LENGTHS = 'max_epochs', 'max_iters'
# Dicts without a `type` that become the arguments of a call.
ARGUMENTS = ('train_dataloader', 'val_dataloader', 'test_dataloader', 'randomness')


def config_dir() -> Path:
    """The folder of the configs: inside the installed package, or beside it in a checkout."""
    package = Path(__file__).parent
    # There mmengine looks for `segkd_mm::` configs; in a checkout it is a link to the folder beside
    # the package, which some systems cannot make.
    places = package / '.mim' / 'configs', package.parent / 'configs'
    return next(place for place in places if place.is_dir()).resolve()


def tools_dir() -> Path:
    """The folder of the tools: inside the installed package, or beside it in a checkout."""
    package = Path(__file__).parent
    return next(d for d in (package / 'tools', package.parent / 'tools') if d.is_dir())


def list_configs() -> list[str]:
    """Names of all experiments, such as ``kd/feature_kd_voc.py``, below :func:`config_dir`."""
    root = config_dir()
    names = (path.relative_to(root).as_posix() for path in root.glob('*/*.py'))
    return sorted(name for name in names if not name.startswith('_base_'))


def load_config(path: str | Path, options: dict[str, Any] | None = None) -> Config:
    """Read a config file and apply options by dotted key.

    ``data_root`` and ``download`` among the options reach every data set that had the config's own
    ``data_root``.

    A key that the config does not have is an error, because it is most likely misspelt. Accepted
    are top-level keys of :data:`RUNNER_KEYS`, and new arguments of a class (keys of a dict with a
    ``type``), which the class checks when it is built. ``+`` before a key adds any other:
    ``+default_hooks.ema.type=EMAHook``.

    Args:
        path: A file, or the name of a packaged config as in :func:`list_configs`.
        options: As from ``--cfg-options``.

    Raises:
        FileNotFoundError: No such config; close matches are shown.
        ValueError: The file or a base of it cannot be read; a value that no run can have;
            ``download`` among the options, but the
            data cannot be downloaded; or an option whose key the config does not have.
    """
    config = read_config(_find(Path(path)))
    options = dict(options or {})
    if 'download' in options and 'download' not in config:
        raise ValueError(
            f'{path}: its data cannot be downloaded by download=True. Those that can, in '
            f'configs/_base_/datasets: {", ".join(_downloadable())}.'
        )
    for key in options:
        _check_key(key, config)
    options = {key.removeprefix(NEW_KEY): value for key, value in options.items()}
    shared = {key: options[key] for key in SHARED_KEYS if key in options}
    for dataset in _datasets_at(config._cfg_dict, config.get('data_root')):
        dataset.update(shared)
    config.merge_from_dict(options)
    _move_preprocessor(config)
    check_values(config, config.filename)
    return config


def _move_preprocessor(config: Config) -> None:
    """Give the model a preprocessor at the top of the config, as mmengine's runner does it."""
    preprocessor = config.pop('data_preprocessor', None)
    if preprocessor and isinstance(config.get('model'), dict):
        config.model.setdefault('data_preprocessor', preprocessor)


def require(config: Config, *keys: str) -> None:
    """Check that a config has what a command needs.

    Raises:
        ValueError: It lacks a key.
    """
    for key in keys:
        if not isinstance(config.get(key), dict):
            raise ValueError(
                f'{config.filename}: found {key}={config.get(key)!r:.60}, expected a dict. Add it, '
                f'or a base that has it; `{command("configs")}` lists configs to begin with.'
            )


def plain_student(config: Config) -> Config:
    """The same config with the plain student as its model, where that is distilled.

    What is measured, tested or exported is the student; its teacher need not be at hand.
    """
    require(config, 'model')
    config = Config(config.to_dict(), filename=config.filename)
    _move_preprocessor(config)
    if config.model.get('type') == 'SegDistiller':
        preprocessor = config.model.get('data_preprocessor')
        config.model = config.model.student
        if preprocessor:
            config.model.setdefault('data_preprocessor', preprocessor)
    return config


def base_configs(dataset: dict) -> Iterator[dict]:
    """Iterate over the configs of the unwrapped data sets in the config of a data set."""
    inner = [dataset[key] for key in ('dataset', 'labelled') if key in dataset]
    inner += dataset.get('datasets', [])
    for part in inner:
        yield from base_configs(part)
    if not inner:
        yield dataset


def first_test_dataset(config: Config) -> dict:
    """The config of the data set to test with, the first one of several, without wrappers.

    Raises:
        ValueError: There is none.
    """
    require(config, 'test_dataloader')
    return next(base_configs(config.test_dataloader.dataset))


def image_pipeline(config: Config) -> list[dict]:
    """The test pipeline of a config without its masks: what prepares an image for prediction."""
    steps = first_test_dataset(config).pipeline
    return [step for step in steps if 'Annotations' not in step['type']]


def inference_config(config: Config) -> Config:
    """The plain student's config with what mmseg's ``init_model`` and inferencers read.

    These are ``custom_imports``, ``test_pipeline`` and ``visualizer``. Other variables of the
    config file are left out, those aside that options may set.
    """
    student = plain_student(config)
    keys = ('custom_imports', *RUNNER_KEYS, *SHARED_KEYS)
    values = {key: value for key, value in student.to_dict().items() if key in keys}
    imports = values.setdefault('custom_imports', dict(imports=[]))
    own = imports['imports']
    own = [own] if isinstance(own, str) else own
    imports['imports'] = list(dict.fromkeys(['segkd_mm', *own]))
    values.setdefault('visualizer', dict(type='SegLocalVisualizer', name='visualizer'))
    values['test_pipeline'] = image_pipeline(student)
    return Config(values, filename=config.filename)


def read_config(path: Path) -> Config:
    """Read a config file as it is. A .py file is code, other files are data.

    Raises:
        ValueError: It or a base of it cannot be read.
    """
    try:
        _check_bases(str(path))
        return Config.fromfile(path)
    except SyntaxError as error:  # without the name of the file
        line = (error.text or '').strip()
        raise ValueError(
            f'{path}, or a base of it, is not Python: line {error.lineno}, {line!r}: {error.msg}'
        ) from error
    except Exception as error:  # a Python config is code, which may raise anything
        raise ValueError(
            f'{path}, or a base of it, cannot be read{_line_of(error)}: {type(error).__name__}: '
            f'{error}. Correct it; expected a Python config, .json or .yaml.'
        ) from error


def _check_bases(path: str, above: tuple[str, ...] = ()) -> None:
    """Check that bases do not lead back, which mmengine would follow, and that YAML is data."""
    if path in above:
        raise ValueError('its _base_ leads back to itself')
    if Path(path).suffix in YAML:
        yaml.safe_load(Path(path).read_text(encoding='utf-8'))  # mmengine would build any object
    bases = []
    with suppress(SyntaxError):  # which mmengine names in full as it reads the file
        bases = Config._get_base_files(path)
    for base in bases:
        found, scope = Config._get_cfg_path(base, path)
        if scope is None:
            _check_bases(os.path.normpath(found), (*above, path))


def _line_of(error: Exception) -> str:
    """The line of a Python config at which an error occurred."""
    steps = ((frame.f_code, line) for frame, line in walk_tb(error.__traceback__))
    places = [(code.co_filename, line) for code, line in steps if code.co_name == '<module>']
    return f' ({places[-1][0]}, line {places[-1][1]})' if places else ''


def _find(path: Path) -> Path:
    for candidate in (path, config_dir() / path, config_dir().parent / path):
        if candidate.is_file():
            return candidate
    name = '/'.join(path.parts[-2:])
    raise FileNotFoundError(
        f'No config {path}{did_you_mean(name, list_configs(), cutoff=0.5)}, neither here '
        f'({Path.cwd()}) nor in {config_dir()}. `{command("configs")}` lists all.'
    )


def _check_key(key: str, config: Config) -> None:
    """Check that the config has the key of an option, or takes it as a new one.

    Raises:
        ValueError: It does neither; or the key is of a variable that only the file itself uses.
    """
    if key.startswith(NEW_KEY):
        return
    _check_exists(key, config)
    _check_effect(key, config)


def _check_exists(key: str, config: Config) -> None:
    node, known = config._cfg_dict, []
    for part in key.split('.'):
        if part not in _children(node):
            break
        node = _children(node)[part]
        known.append(part)
    else:
        return
    if not _takes(node, '.'.join(known), part):
        existing = _dotted_keys(config._cfg_dict)
        raise ValueError(
            f'{config.filename} has no key {key}{did_you_mean(key, existing, count=1)}. If you '
            f'mean a new key, put {NEW_KEY} before it: --cfg-options {NEW_KEY}{key}=...'
        )


def _check_effect(key: str, config: Config) -> None:
    """Check that a run reads a key, and not the config file alone, which is read before options."""
    if key.split('.')[0] in (*RUNNER_KEYS, *SHARED_KEYS):
        return
    last = key.split('.')[-1]
    keys = [one for one in _dotted_keys(config._cfg_dict) if one.endswith(f'.{last}')]
    keys = [one for one in keys if one.split('.')[0] in RUNNER_KEYS]
    named = f', such as {", ".join(keys[:3])}' if keys else ''
    epochs = ' --epochs N sets the length of a training.' if last in LENGTHS else ''
    raise ValueError(
        f'{key} is a variable of {config.filename}, which is read before its options: to set it '
        f'would change nothing. Set the keys that were made from it{named}.{epochs}'
    )


def _takes(node: Any, name: str, key: str) -> bool:
    """Whether a node of that name takes a new key: an argument whose name is near no other."""
    if not name:
        return key in RUNNER_KEYS
    if not isinstance(node, dict) or key == DELETE_KEY:
        return isinstance(node, dict)
    return ('type' in node or name in ARGUMENTS) and not did_you_mean(key, node, cutoff=0.8)


def _dotted_keys(node: Any) -> Iterator[str]:
    """The keys of all that is below a node, as options name them."""
    for key, child in _children(node).items():
        yield key
        yield from (f'{key}.{below}' for below in _dotted_keys(child))


def _children(node: Any) -> dict[str, Any]:
    """What is directly below a node of a config, by its key or its index in a list."""
    if isinstance(node, dict):
        return {str(key): child for key, child in node.items()}
    return {str(i): child for i, child in enumerate(node)} if isinstance(node, list) else {}


def _downloadable() -> list[str]:
    files = sorted((config_dir() / '_base_' / 'datasets').glob('*.py'))
    return [file.name for file in files if 'download' in Config.fromfile(file)]


def _datasets_at(node: Any, data_root: str | None) -> Iterator[ConfigDict]:
    """All dicts below ``node``, itself aside, whose ``data_root`` is the given one."""
    children = node.values() if isinstance(node, dict) else node
    for child in children:
        if isinstance(child, dict) and child.get('data_root') == data_root is not None:
            yield child
        if isinstance(child, dict | list | tuple):
            yield from _datasets_at(child, data_root)
