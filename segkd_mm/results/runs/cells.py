"""Cells of a comparison (a config with a seed each) and the hashes of their configs."""

import argparse
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from mmengine.config import Config, DictAction

from segkd_mm.config import NEW_KEY, load_config
from segkd_mm.results.files import read_results
from segkd_mm.schedule import set_epochs
from segkd_mm.weights import HF

# Config keys that affect the trained weights or the test.
RESULT_KEYS = (
    'model', 'train_dataloader', 'val_dataloader', 'test_dataloader', 'optim_wrapper',
    'param_scheduler', 'train_cfg', 'custom_hooks', 'load_from',
)  # fmt: skip
# Keys below those that do not: locations of files and options of data loading.
IGNORED_KEYS = {
    'data_root', 'work_dir', 'cache', 'download', 'num_workers', 'persistent_workers',
    'pin_memory', 'prefetch_factor', 'mebibytes',
}  # fmt: skip
LOCKS = '.locks'
HASH_FILE = 'config_hash'


@dataclass(frozen=True)
class Method:
    """A config of a comparison.

    Attributes:
        path: Path or name of the config, as given.
        cfg_options: Its ``--cfg-options``, ``KEY=VALUE`` each.
        config: The config with these options.
        epochs: Of ``--epochs``; None for the config's own.
    """

    path: str
    cfg_options: tuple[str, ...]
    config: Config
    epochs: int | None = None

    @classmethod
    def load(
        cls, path: str, cfg_options: Sequence[str] = (), epochs: int | None = None
    ) -> 'Method':
        """Read a config; ``model.teacher.*`` options apply only if it has a teacher."""
        teacher = load_config(path).model.get('teacher')
        options = [_teacher_option(option, teacher) for option in cfg_options]
        options = [option for option in options if option]
        config = load_config(path, parse_options(options))
        if epochs:
            set_epochs(config, epochs)
        return cls(path, tuple(options), config, epochs)

    @property
    def name(self) -> str:
        """Name in files and tables."""
        return Path(self.path).stem

    @property
    def cache(self) -> str | None:
        """Folder of the teacher's cache, if it has one."""
        teacher = self.config.model.get('teacher')
        cache = teacher.get('cache') if isinstance(teacher, Mapping) else None
        return cache if isinstance(cache, str) else None

    @property
    def config_hash(self) -> str:
        """Sha256 of the settings that affect the result, without the seed.

        These are :data:`RESULT_KEYS` without :data:`IGNORED_KEYS`. Only the last part of a path
        counts, so that data and weights may be elsewhere on another machine.
        """
        return tree_hash({key: self.config.get(key) for key in RESULT_KEYS})


@dataclass(frozen=True)
class Cell:
    """A training of a comparison, and its test: a method with a seed.

    Attributes:
        method: The config.
        seed: Seed of the training.
        result: File of its result.
        work_dir: Work directory of the training.
    """

    method: Method
    seed: int
    result: Path
    work_dir: Path

    @property
    def name(self) -> str:
        """Name in messages."""
        return f'{self.method.name}/{self.seed}'

    @property
    def is_done(self) -> bool:
        """Whether it has a result."""
        return self.result.is_file()


def make_cells(
    methods: Sequence[Method], seeds: Sequence[int], results: Path, work_dirs: Path
) -> list[Cell]:
    """Make the cells, ordered by seed, so that an interrupted comparison is still fair.

    Raises:
        ValueError: Two configs have the same name.
    """
    duplicates = [name for name, count in Counter(m.name for m in methods).items() if count > 1]
    if duplicates:
        raise ValueError(
            f'Several configs are called {", ".join(duplicates)}; results are stored by that '
            'name, so rename all but one.'
        )
    return [
        Cell(
            method,
            seed,
            results / method.name / f'{seed}.json',
            work_dirs / results.name / method.name / str(seed),
        )
        for seed in seeds
        for method in methods
    ]


def check_hashes(cells: Sequence[Cell]) -> None:
    """Check that existing results and unfinished trainings were made with the same configs.

    Raises:
        ValueError: Some were made with another config; lists all, and says what to do.
    """
    outdated = [f'  {path}: {reason}' for cell in cells for path, reason in _outdated(cell)]
    if outdated:
        raise ValueError(
            'The config has changed since these were made:\n' + '\n'.join(outdated)
            + '\nGive the config and the options with which they were made, or another --results; '
            'or delete what is named here to run it again.'
        )  # fmt: skip


def _outdated(cell: Cell) -> list[tuple[Path, str]]:
    expected, found = cell.method.config_hash, {}
    if cell.is_done:
        (result,) = read_results([cell.result])
        if result.get('config_hash') == expected:
            return []
        found[cell.result] = result.get('config_hash')
    hash_file = cell.work_dir / HASH_FILE
    if hash_file.is_file():
        found[cell.work_dir] = hash_file.read_text().strip()
    return [
        (path, f'config hash {(found_hash or "none")[:12]}, now {expected[:12]}')
        for path, found_hash in found.items()
        if found_hash != expected
    ]


def lock_file(result: Path) -> Path:
    """Lock file of a result RESULTS/<folder>/<name>.json; its folder is created."""
    folder = result.parents[1] / LOCKS
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f'{result.parent.name}.{result.stem}.lock'


def tree_hash(tree: Any) -> str:
    """Sha256 of nested dicts and lists, without :data:`IGNORED_KEYS` and folders of paths."""
    text = json.dumps(_relevant(tree), sort_keys=True, default=str)
    return sha256(text.encode()).hexdigest()


def _relevant(tree: Any) -> Any:
    if isinstance(tree, dict):
        return {
            str(key): _relevant(value) for key, value in tree.items() if key not in IGNORED_KEYS
        }
    if isinstance(tree, list | tuple):
        return [_relevant(item) for item in tree]
    is_path = isinstance(tree, str) and not tree.startswith((HF, 'http://', 'https://'))
    return tree.rsplit('/', 1)[-1] if is_path else tree


def _teacher_option(option: str, teacher: dict | None) -> str | None:
    """Adapt a ``model.teacher.*`` option to a config: nested teacher, or None without one."""
    new, prefix, rest = option.partition('model.teacher.')
    if not prefix or new not in ('', NEW_KEY):
        return option
    if teacher is None:
        return None
    key = rest.split('=')[0].split('.')[0]
    nested = 'teacher' in teacher and key not in teacher
    return f'{new}{prefix}{"teacher." if nested else ""}{rest}'


def parse_options(options: Sequence[str]) -> dict[str, Any]:
    """Parse ``--cfg-options`` as mmengine does."""
    parser = argparse.ArgumentParser()
    parser.add_argument('--options', nargs='*', action=DictAction, default={})
    return parser.parse_args(['--options', *options]).options
