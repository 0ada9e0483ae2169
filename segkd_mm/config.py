"""Configs: where they lie, how they are read, and the plain student in each."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mmengine.config import Config, ConfigDict

from segkd_mm.hints import did_you_mean


def config_dir() -> Path:
    """The folder of the configs: inside the installed package, or beside it in a checkout."""
    package = Path(__file__).parent
    return next(d for d in (package / 'configs', package.parent / 'configs') if d.is_dir())


def list_configs() -> list[str]:
    """Names of all experiments, such as ``kd/feature_kd_voc.py``, below :func:`config_dir`."""
    root = config_dir()
    names = (path.relative_to(root).as_posix() for path in root.glob('*/*.py'))
    return sorted(name for name in names if not name.startswith('_base_'))


def load_config(path: str | Path, options: dict[str, Any] | None = None) -> Config:
    """Read a config file and apply options by dotted key.

    ``data_root`` and ``download`` among the options reach every data set that had the config's own
    ``data_root``.

    Args:
        path: A file, or the name of a packaged config as in :func:`list_configs`.
        options: As from ``--cfg-options``.

    Raises:
        FileNotFoundError: No such config; close matches are shown.
        ValueError: ``download`` among the options, but the data cannot be downloaded.
    """
    config = Config.fromfile(_find(Path(path)))
    options = dict(options or {})
    if 'download' in options and 'download' not in config:
        raise ValueError(
            f'{path}: its data cannot be downloaded by download=True. Those that can, in '
            f'configs/_base_/datasets: {", ".join(_downloadable())}.'
        )
    shared = {key: options[key] for key in ('data_root', 'download') if key in options}
    for dataset in _datasets_at(config._cfg_dict, config.get('data_root')):
        dataset.update(shared)
    config.merge_from_dict(options)
    return config


def plain_student(config: Config) -> Config:
    """The same config with the plain student as its model, where that is distilled.

    What is measured, tested or exported is the student; its teacher need not be at hand.
    """
    config = Config(config.to_dict(), filename=config.filename)
    if config.model.type == 'SegDistiller':
        config.model = config.model.student
    return config


def _find(path: Path) -> Path:
    for candidate in (path, config_dir() / path, config_dir().parent / path):
        if candidate.is_file():
            return candidate
    name = '/'.join(path.parts[-2:])
    raise FileNotFoundError(
        f'No config {path}{did_you_mean(name, list_configs(), cutoff=0.5)}, neither here '
        f'({Path.cwd()}) nor in {config_dir()}. `python -m segkd_mm configs` lists all.'
    )


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
