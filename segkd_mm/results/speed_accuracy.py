"""The benchmark's table: test mIoU of models beside their latency, and the Pareto front.

A row is a dict as tools/benchmark.py writes it: ``config`` (or the exported file), ``parameters``,
``gmacs``, ``peak_memory_mib``; ``labels``, ``mmseg`` and ``logits`` with ``median_ms``, ``p90_ms``,
``fps``; ``floor_ms``; and the ratios ``x_floor`` (time of the logits over the floor) and
``speedup`` (time of mmseg's label maps of the first config over that of the labels).
:func:`join_scores` adds ``mIoU`` (a :class:`Score` as a dict, or None), ``mIoU_per_ms`` and
``pareto``. Values that do not apply are None.
"""

import math
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from glob import escape
from pathlib import Path
from statistics import mean, stdev

from segkd_mm.results.files import is_of_its_checkpoint, read_results


@dataclass(frozen=True)
class Score:
    """Test mIoU of a config in percent, over its seeds.

    ``std`` is the sample standard deviation, None for a single seed; ``data`` describes the test
    images; ``files`` are the result files.
    """

    mean: float
    std: float | None
    seeds: tuple[int | str, ...]
    data: str
    files: tuple[str, ...]

    @classmethod
    def from_results(cls, results: Mapping[Path, Mapping]) -> 'Score':
        """Summarise the result files of a config.

        Raises:
            ValueError: Two are of the same seed, or they were tested on different images.
        """
        seeds = {path: _seed(path, result) for path, result in results.items()}
        data = {path: tested_images(result) for path, result in results.items()}
        if len(set(data.values())) > 1:
            raise ValueError(f'{_listed(data)}: expected results on the same images; {LEAVE_OUT}')
        if len(set(seeds.values())) < len(seeds):
            raise ValueError(f'{_listed(seeds)}: expected results of different seeds; {LEAVE_OUT}')
        average, std = mean_and_std([result['metrics']['mIoU'] for result in results.values()])
        return cls(
            mean=average,
            std=std,
            seeds=tuple(seeds.values()),
            data=next(iter(data.values())),
            files=tuple(map(str, results)),
        )


LEAVE_OUT = 'remove the wrong files, or test again'


def mean_and_std(values: Sequence[float]) -> tuple[float, float | None]:
    """Mean and sample standard deviation, which is None for a single value."""
    return mean(values), stdev(values) if len(values) > 1 else None


def find_score(config: str | os.PathLike, folders: Iterable[str | os.PathLike]) -> Score | None:
    """Find the test score of a config by its name, in the first folder that has results of it.

    They are the files ``FOLDER/DATASET/CONFIG/SEED.json`` (published results) and
    ``FOLDER/CONFIG/test_test.json`` (output of tools/test.py). Results of two folders are never
    mixed, nor are those of two recipes (``DATASET``): the one with the most seeds counts, of
    several the longest. A result belongs to the config that its weights were trained with, since
    the config of the plain student can also test a distilled checkpoint. A result beside another
    checkpoint than the tested one is ignored.

    Raises:
        ValueError: See :meth:`Score.from_results`, or a file is not a result file.
    """
    found = (_results(Path(config).stem, Path(folder)) for folder in folders)
    return next(
        (Score.from_results(max(recipes, key=_weight)) for recipes in found if recipes), None
    )


def tested_images(result: Mapping) -> str:
    """Describe the test images of a result; mIoU is comparable only on the same images."""
    return f'{result["dataset"].removesuffix("Dataset")} test, {result["images"]} images'


def find_exported_score(path: str | os.PathLike) -> Score | None:
    """Find the test score of an exported model, in ``PATH.test_test.json``, if it is of that file.

    Raises:
        ValueError: See :meth:`Score.from_results`, or the file is not a result file.
    """
    files = [file for file in [Path(f'{path}.test_test.json')] if file.is_file()]
    results = zip(files, read_results(files), strict=True)
    results = {path: result for path, result in results if is_of_its_checkpoint(path, result)}
    return Score.from_results(results) if results else None


def join_scores(rows: Iterable[Mapping], scores: Mapping[str, Score | None]) -> list[dict]:
    """Join benchmark rows with the scores of their configs, best first.

    The order is by data set and mIoU per ms; rows without a score are last, the fastest first.
    """
    joined = [_with_score(row, scores.get(row['config'])) for row in rows]
    for group in group_by_dataset(joined).values():
        for index in pareto_front([latency_and_miou(row) for row in group]):
            group[index]['pareto'] = True
    return sorted(joined, key=_order)


def group_by_dataset(rows: Iterable[Mapping]) -> dict[str, list[Mapping]]:
    """Group the rows that have a score by their test images."""
    groups = {}
    for row in rows:
        if row['mIoU']:
            groups.setdefault(row['mIoU']['data'], []).append(row)
    return groups


def latency_and_miou(row: Mapping) -> tuple[float, float]:
    """Latency to label maps in ms and mIoU in percent of a row that has a score."""
    return row['labels']['median_ms'], row['mIoU']['mean']


def pareto_front(points: Sequence[tuple[float, float]]) -> list[int]:
    """Indices of the points (latency, mIoU) on the Pareto front, the fastest first.

    A point is on the front if no other one dominates it, that is, has a latency not higher and an
    mIoU not lower and is not equal. Points with a NaN are left out.
    """
    valid = [index for index, point in enumerate(points) if not any(map(math.isnan, point))]
    front = [i for i in valid if not any(_dominates(points[j], points[i]) for j in valid)]
    return sorted(front, key=lambda index: points[index])


def table_rows(rows: Sequence[Mapping]) -> list[dict]:
    """Rows of :mod:`segkd_mm.results.tables`, without empty columns.

    ``ms`` and ``FPS`` are of fast label maps, ``mmseg ms`` of mmseg's; ``x`` is ``speedup``. A
    column of the data sets is added if there are several.
    """
    several = len(group_by_dataset(rows)) > 1
    table = [_table_row(row, several) for row in rows]
    used = {key for row in table for key, value in row.items() if value is not None}
    return [{key: value for key, value in row.items() if key in used} for row in table]


def short_name(config: str | os.PathLike) -> str:
    """Name of a config without its ending, or of an exported file with its ending."""
    return Path(config).name.removesuffix('.py')


def _results(name: str, folder: Path) -> list[dict[Path, dict]]:
    """The results of a config, those of each recipe."""
    published, latest = f'*/{escape(name)}/*.json', f'{escape(name)}/test_test.json'
    files = sorted([*folder.glob(published), *folder.glob(latest)])
    results = zip(files, read_results(files), strict=True)
    found = {path: result for path, result in results if _is_test_of(name, result)}
    recipes = {}
    for path, result in found.items():
        if is_of_its_checkpoint(path, result):
            recipes.setdefault(path.parents[1], {})[path] = result
    return list(recipes.values())


def _weight(results: Mapping[Path, Mapping]) -> tuple[int, int]:
    return len(results), max(result.get('iterations', 0) for result in results.values())


def _is_test_of(name: str, result: Mapping) -> bool:
    trained_with = (result.get('training') or result).get('config', '')
    miou = result.get('metrics', {}).get('mIoU')
    if result.get('tta') or result.get('window'):  # another computation than the benchmark times
        return False
    return result.get('split') == 'test' and miou is not None and Path(trained_with).stem == name


def _seed(path: Path, result: Mapping) -> int | str:
    return (result.get('training') or {}).get('seed', path.stem)


def _listed(found: Mapping[Path, object]) -> str:
    return ', '.join(f'{path} ({value})' for path, value in found.items())


def _with_score(row: Mapping, score: Score | None) -> dict:
    per_ms = score and score.mean / row['labels']['median_ms']
    return {**row, 'mIoU': score and asdict(score), 'mIoU_per_ms': per_ms, 'pareto': False}


def _order(row: Mapping) -> tuple[bool, str, float]:
    if row['mIoU'] is None:
        return True, '', row['labels']['median_ms']
    return False, row['mIoU']['data'], -row['mIoU_per_ms']


def _dominates(one: tuple[float, float], other: tuple[float, float]) -> bool:
    return one[0] <= other[0] and one[1] >= other[1] and one != other


def _table_row(row: Mapping, several_data: bool) -> dict:
    score = row['mIoU'] or {}
    data = {'data': score.get('data')} if several_data else {}
    return {
        'config': short_name(row['config']),
        **data,
        'mIoU': score.get('mean'),
        '±': score.get('std'),
        'seeds': len(score['seeds']) if score else None,
        'ms': row['labels']['median_ms'],
        'FPS': row['labels']['fps'],
        'x': row.get('speedup'),
        'mmseg ms': (row.get('mmseg') or {}).get('median_ms'),
        'logits ms': (row.get('logits') or {}).get('median_ms'),
        'x floor': row.get('x_floor'),
        'parameters': row['parameters'],
        'GMACs': row['gmacs'],
        'MiB': row['peak_memory_mib'],
        'mIoU/s': row['mIoU_per_ms'] and 1000 * row['mIoU_per_ms'],  # readable with two decimals
    }
