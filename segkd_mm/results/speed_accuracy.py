"""What a model is worth for what it costs: test results beside measured speed, and the best trades.

A row is a dict as tools/benchmark.py writes it: ``config`` (or the exported file), ``parameters``,
``gmacs``, ``peak_memory_mib``; ``labels``, ``mmseg`` and ``logits`` with ``median_ms``, ``p90_ms``,
``fps``; ``floor_ms``, and as ratios ``x_floor`` of the logits to it and ``speedup``, to mmseg's way
of the first config. :func:`join_scores` adds ``mIoU`` (a :class:`Score` as a dict, or None),
``mIoU_per_ms`` and ``pareto``. What does not apply to a row is None.
"""

import math
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from glob import escape
from pathlib import Path
from statistics import mean, stdev

from segkd_mm.results.files import read_results


@dataclass(frozen=True)
class Score:
    """Test results of one config: mIoU in percent over its seeds, on what, from which files.

    ``std`` is the sample standard deviation, None of a single seed.
    """

    mean: float
    std: float | None
    seeds: tuple[int | str, ...]
    data: str
    files: tuple[str, ...]

    @classmethod
    def of(cls, results: Mapping[Path, Mapping]) -> 'Score':
        """Sum up the result files of one config.

        Raises:
            ValueError: two are of one seed, or they were tested on different images.
        """
        seeds = {path: _seed(path, result) for path, result in results.items()}
        data = {path: tested_images(result) for path, result in results.items()}
        if len(set(data.values())) > 1:
            raise ValueError(f'{_listed(data)}: expected results on the same images; {LEAVE_OUT}')
        if len(set(seeds.values())) < len(seeds):
            raise ValueError(f'{_listed(seeds)}: expected results of different seeds; {LEAVE_OUT}')
        values = [result['metrics']['mIoU'] for result in results.values()]
        return cls(
            mean=mean(values),
            std=stdev(values) if len(values) > 1 else None,
            seeds=tuple(seeds.values()),
            data=next(iter(data.values())),
            files=tuple(map(str, results)),
        )


LEAVE_OUT = 'move those away that do not belong, or test again'


def find_score(config: str | os.PathLike, folders: Iterable[str | os.PathLike]) -> Score | None:
    """Look for the test results of a config, by its name; the first folder that has any wins.

    They lie in ``FOLDER/DATASET/CONFIG/SEED.json`` (results that are kept) or in
    ``FOLDER/CONFIG/test_test.json`` (where tools/test.py puts them). Results of two folders are
    never mixed. A result belongs to the config that its weights were trained with: the plain
    student's config tests a distilled checkpoint just as well.

    Raises:
        ValueError: as of :meth:`Score.from_results`, or a file is no result file.
    """
    found = (_results(Path(config).stem, Path(folder)) for folder in folders)
    return next((Score.from_results(results) for results in found if results), None)


def tested_images(result: Mapping) -> str:
    """In words, what a result was measured on: only within that does mIoU compare."""
    return f'{result["dataset"].removesuffix("Dataset")} test, {result["images"]} images'


def find_exported_score(path: str | os.PathLike) -> Score | None:
    """Look for the test result of an exported file, ``PATH.test_test.json``, beside it.

    Raises:
        ValueError: as of :meth:`Score.from_results`, or the file is no result file.
    """
    files = [file for file in [Path(f'{path}.test_test.json')] if file.is_file()]
    results = dict(zip(files, read_results(files), strict=True))
    return Score.from_results(results) if results else None


def join_scores(rows: Iterable[Mapping], scores: Mapping[str, Score | None]) -> list[dict]:
    """Join measurements with the scores of their configs, best first.

    By mIoU per second within one data set; rows without a score come last, the fastest first.
    """
    joined = [_joined(row, scores.get(row['config'])) for row in rows]
    for group in group_by_dataset(joined).values():
        for index in pareto_front([trade(row) for row in group]):
            group[index]['pareto'] = True
    return sorted(joined, key=_order)


def group_by_dataset(rows: Iterable[Mapping]) -> dict[str, list[Mapping]]:
    """Rows that have a score, by what they were tested on: only within that does mIoU compare."""
    groups = {}
    for row in rows:
        if row['mIoU']:
            groups.setdefault(row['mIoU']['data'], []).append(row)
    return groups


def trade(row: Mapping) -> tuple[float, float]:
    """Milliseconds to labels and mIoU of a row that has a score."""
    return row['labels']['median_ms'], row['mIoU']['mean']


def pareto_front(points: Sequence[tuple[float, float]]) -> list[int]:
    """Indices of the points (cost, worth) that no other dominates, the cheapest first.

    One point dominates another when it costs no more and is worth no less, and is not the same:
    equal points stand or fall together. Points with a NaN are left out.
    """
    known = [index for index, point in enumerate(points) if not any(map(math.isnan, point))]
    front = [i for i in known if not any(_dominates(points[j], points[i]) for j in known)]
    return sorted(front, key=lambda index: points[index])


def table_rows(rows: Sequence[Mapping]) -> list[dict]:
    """Rows for people: no columns without values, one of the data sets where there are several.

    ``ms`` and ``FPS`` are to labels in the fast way, ``mmseg ms`` in mmseg's; ``x`` is ``speedup``.
    """
    several = len(group_by_dataset(rows)) > 1
    table = [_table_row(row, several) for row in rows]
    used = {key for row in table for key, value in row.items() if value is not None}
    return [{key: value for key, value in row.items() if key in used} for row in table]


def short_name(config: str | os.PathLike) -> str:
    """The name of a config, or of an exported file with its ending."""
    return Path(config).name.removesuffix('.py')


def _results(name: str, folder: Path) -> dict[Path, dict]:
    kept, latest = f'*/{escape(name)}/*.json', f'{escape(name)}/test_test.json'
    files = sorted([*folder.glob(kept), *folder.glob(latest)])
    results = zip(files, read_results(files), strict=True)
    return {path: result for path, result in results if _is_test_of(name, result)}


def _is_test_of(name: str, result: Mapping) -> bool:
    trained_with = (result.get('training') or result).get('config', '')
    miou = result.get('metrics', {}).get('mIoU')
    return result.get('split') == 'test' and miou is not None and Path(trained_with).stem == name


def _seed(path: Path, result: Mapping) -> int | str:
    return (result.get('training') or {}).get('seed', path.stem)


def _listed(found: Mapping[Path, object]) -> str:
    return ', '.join(f'{path} ({what})' for path, what in found.items())


def _joined(row: Mapping, score: Score | None) -> dict:
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
        'mIoU/s': row['mIoU_per_ms'] and 1000 * row['mIoU_per_ms'],  # two decimals do for it
    }
