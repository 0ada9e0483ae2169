"""The cells of a comparison, each config with each seed, and what tells their trainings apart."""

import argparse
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from mmengine.config import Config, DictAction

from segkd_mm.config import load_config
from segkd_mm.results.files import read_results

# Of a config, what decides what is learned and on what it is tested.
DECISIVE = (
    'model', 'train_dataloader', 'val_dataloader', 'test_dataloader', 'optim_wrapper',
    'param_scheduler', 'train_cfg', 'custom_hooks', 'load_from',
)  # fmt: skip
# Below those, what does not: where files lie, and how fast they are read.
IDLE = {
    'data_root', 'work_dir', 'cache', 'download', 'num_workers', 'persistent_workers',
    'pin_memory', 'prefetch_factor',
}  # fmt: skip
LOCKS = '.locks'
HASH_FILE = 'config_hash'


@dataclass(frozen=True)
class Method:
    """One config of a comparison.

    Attributes:
        path: As it was named.
        cfg_options: Its ``--cfg-options``, ``KEY=VALUE`` each.
        config: The config with these options.
    """

    path: str
    cfg_options: tuple[str, ...]
    config: Config

    @classmethod
    def of(cls, path: str, cfg_options: Sequence[str] = ()) -> 'Method':
        """Read a config; ``model.teacher.*`` applies to the configs that have a teacher."""
        teacher = load_config(path).model.get('teacher')
        options = [_teacher_option(option, teacher) for option in cfg_options]
        options = [option for option in options if option]
        return cls(path, tuple(options), load_config(path, parse_options(options)))

    @property
    def name(self) -> str:
        """What the files and the tables call it."""
        return Path(self.path).stem

    @property
    def config_hash(self) -> str:
        """A sha256 of what decides the result, seed aside.

        That is :data:`DECISIVE` without :data:`IDLE`. Of a path its last part counts, so that data
        and weights may lie elsewhere on another machine.
        """
        decisive = {key: self.config.get(key) for key in DECISIVE}
        return tree_hash(decisive)


@dataclass(frozen=True)
class Cell:
    """One training of a comparison and its test.

    Attributes:
        result: The file of its result.
        work_dir: Where it is trained.
    """

    method: Method
    seed: int
    result: Path
    work_dir: Path

    @property
    def name(self) -> str:
        """What messages call it."""
        return f'{self.method.name}/{self.seed}'

    @property
    def is_done(self) -> bool:
        """Whether it has a result."""
        return self.result.is_file()


def make_cells(
    methods: Sequence[Method], seeds: Sequence[int], results: Path, work_dirs: Path
) -> list[Cell]:
    """All cells, seed by seed: a comparison that is stopped is a fair one as far as it went.

    Raises:
        ValueError: Two configs have the same name.
    """
    twice = [name for name, count in Counter(m.name for m in methods).items() if count > 1]
    if twice:
        raise ValueError(
            f'Several configs are called {", ".join(twice)}; results are kept by that name, so '
            'rename all but one.'
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
    """Hold what is there already, results and begun trainings, against the configs.

    Raises:
        ValueError: Something was made with another config; lists all, and says what to do.
    """
    foreign = [f'  {where}: {found}' for cell in cells for where, found in _foreign(cell)]
    if foreign:
        raise ValueError(
            'Made with a config that is not what it is now:\n' + '\n'.join(foreign)
            + '\nGive the config and the options with which they were made, or another --results; '
            'or delete what is named here to run it again.'
        )  # fmt: skip


def _foreign(cell: Cell) -> list[tuple[Path, str]]:
    wanted, found = cell.method.config_hash, {}
    if cell.is_done:
        (result,) = read_results([cell.result])
        if result.get('config_hash') == wanted:
            return []  # whatever else was begun since
        found[cell.result] = result.get('config_hash')
    begun = cell.work_dir / HASH_FILE
    if begun.is_file():
        found[cell.work_dir] = begun.read_text().strip()
    return [
        (where, f'config hash {(had or "none")[:12]}, now {wanted[:12]}')
        for where, had in found.items()
        if had != wanted
    ]


def lock_file(result: Path) -> Path:
    """The file that is locked while RESULTS/<folder>/<name>.json is made; its folder is made."""
    folder = result.parents[1] / LOCKS
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f'{result.parent.name}.{result.stem}.lock'


def tree_hash(tree: Any) -> str:
    """A sha256 of nested dicts and lists, without what does not decide a result."""
    text = json.dumps(_decisive(tree), sort_keys=True, default=str)
    return sha256(text.encode()).hexdigest()


def _decisive(tree: Any) -> Any:
    if isinstance(tree, dict):
        return {str(key): _decisive(value) for key, value in tree.items() if key not in IDLE}
    if isinstance(tree, list | tuple):
        return [_decisive(item) for item in tree]
    return tree.rsplit('/', 1)[-1] if isinstance(tree, str) else tree


def _teacher_option(option: str, teacher: dict | None) -> str | None:
    """An option as a config takes it: a teacher may be nested in one of whole images, or absent."""
    prefix = 'model.teacher.'
    if not option.startswith(prefix):
        return option
    if teacher is None:
        return None
    key = option.removeprefix(prefix).split('=')[0].split('.')[0]
    if 'teacher' in teacher and key not in teacher:
        return f'{prefix}teacher.{option.removeprefix(prefix)}'
    return option


def parse_options(options: Sequence[str]) -> dict[str, Any]:
    """``--cfg-options`` as mmengine reads them."""
    parser = argparse.ArgumentParser()
    parser.add_argument('--options', nargs='*', action=DictAction, default={})
    return parser.parse_args(['--options', *options]).options
