"""Leaderboard rows: test mIoU of methods and their gain over a baseline, over several seeds.

Results are those of ``tools/compare.py``. A method is compared with the baseline seed by seed, as
the random draws of a seed (weights, order of images, augmentation) are the same for both.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import mean, median

from scipy.stats import ttest_rel

from segkd_mm.results.speed_accuracy import mean_and_std, tested_images

Results = Mapping[int, Mapping]  # by seed
HARDWARE = ('cpu', 'gpu', 'threads')


@dataclass(frozen=True)
class Gain:
    """Gain of a method over the baseline, over the seeds that both have.

    Attributes:
        seeds: These seeds.
        mean: Mean gain in percentage points of mIoU.
        p: p-value of the two-sided paired t-test, the probability of a difference as large by
            chance; None for a single seed. Not corrected for several methods.
        of_gap: Gain in percent of the difference between teacher and baseline; None without a
            teacher that is better than the baseline.
        step_time: Seconds per iteration as a multiple of the baseline's: the median over seeds that
            were trained on the same hardware; None if there are none.
        per_class: Gain in percentage points of IoU by class; None for classes without an IoU.
    """

    seeds: tuple[int, ...]
    mean: float
    p: float | None
    of_gap: float | None
    step_time: float | None
    per_class: dict[str, float | None]


@dataclass(frozen=True)
class Row:
    """Test scores of a method: mIoU in percent by seed, mean and sample standard deviation.

    ``std`` is None for a single seed. ``gain`` is None for the baseline and without a common seed.
    ``teacher`` is the mIoU of the teacher, None without one.
    """

    method: str
    scores: dict[int, float]
    mean: float
    std: float | None
    teacher: float | None
    gain: Gain | None


def leaderboard_rows(results: Mapping[str, Results], baseline: str) -> list[Row]:
    """Compute the rows of a leaderboard, best first.

    Args:
        results: Results by method and seed; methods without results are left out.
        baseline: The method with which the others are compared.

    Raises:
        ValueError: Results are of different test images or classes, or those of a method are of
            different teachers.
    """
    results = {method: by_seed for method, by_seed in results.items() if by_seed}
    _check_comparable(results)
    base = results.get(baseline, {})
    rows = [
        _row(method, by_seed, {} if method == baseline else base)
        for method, by_seed in results.items()
    ]
    return sorted(rows, key=lambda row: -row.mean)


def _row(method: str, results: Results, base: Results) -> Row:
    scores = {seed: miou(result) for seed, result in results.items()}
    average, std = mean_and_std([*scores.values()])
    teacher = _teacher_miou(results)
    return Row(
        method=method,
        scores=scores,
        mean=average,
        std=std,
        teacher=teacher,
        gain=gain_over_baseline(base, results, teacher),
    )


def gain_over_baseline(base: Results, results: Results, teacher: float | None) -> Gain | None:
    """Compute the gain of a method over the baseline; None without a common seed."""
    seeds = tuple(seed for seed in results if seed in base)
    if not seeds:
        return None
    scores, base_scores = ([miou(one[seed]) for seed in seeds] for one in (results, base))
    gain = mean(scores) - mean(base_scores)
    gap = (teacher or 0.0) - mean(base_scores)
    return Gain(
        seeds=seeds,
        mean=gain,
        p=paired_p(scores, base_scores),
        of_gap=100 * gain / gap if gap > 0 else None,
        step_time=_step_time(results, base, seeds),
        per_class=_per_class(results, base, seeds),
    )


def paired_p(first: Sequence[float], second: Sequence[float]) -> float | None:
    """p-value of a two-sided paired t-test; None if all differences are equal, as of one pair."""
    if len({one - other for one, other in zip(first, second, strict=True)}) < 2:
        return None
    return float(ttest_rel(first, second).pvalue)


def miou(result: Mapping) -> float:
    """Test mIoU of a result in percent."""
    return result['metrics']['mIoU']


def _teacher_miou(results: Results) -> float | None:
    teachers = [result['teacher'] for result in results.values() if result.get('teacher')]
    return mean(teacher['mIoU'] for teacher in teachers) if teachers else None


def _step_time(results: Results, base: Results, seeds: Sequence[int]) -> float | None:
    ratios = [
        results[seed]['seconds_per_iteration'] / base[seed]['seconds_per_iteration']
        for seed in seeds
        if _hardware(results[seed]) == _hardware(base[seed])
    ]
    return median(ratios) if ratios else None


def _hardware(result: Mapping) -> list:
    return [result['training']['environment'][key] for key in HARDWARE]


def _per_class(results: Results, base: Results, seeds: Sequence[int]) -> dict[str, float | None]:
    pairs = [(results[seed]['per_class'], base[seed]['per_class']) for seed in seeds]
    gains = {}
    for name in pairs[0][0]:
        ious = [(result[name], reference[name]) for result, reference in pairs]
        differences = [iou - reference for iou, reference in ious if None not in (iou, reference)]
        gains[name] = mean(differences) if differences else None
    return gains


def _check_comparable(results: Mapping[str, Results]) -> None:
    named = {
        method: {f'{method}/{seed}': result for seed, result in by_seed.items()}
        for method, by_seed in results.items()
    }
    everything = {name: result for group in named.values() for name, result in group.items()}
    _check_one('test images', {name: tested_images(result) for name, result in everything.items()})
    _check_one('classes', {name: ', '.join(r['per_class']) for name, r in everything.items()})
    for group in named.values():
        teachers = {name: result.get('teacher') or {} for name, result in group.items()}
        _check_one('teachers', {name: teacher.get('file') for name, teacher in teachers.items()})


def _check_one(what: str, found: Mapping[str, str | None]) -> None:
    if len(set(found.values())) > 1:
        listed = ', '.join(f'{name} ({value})' for name, value in found.items())
        raise ValueError(
            f'Results of different {what}: {listed}. Delete the files of the wrong ones and run '
            'them again.'
        )


def table_rows(rows: Sequence[Row]) -> list[dict]:
    """Rows of :mod:`segkd_mm.results.tables`; with the number of pairs if seeds are missing."""
    gains = [(row, row.gain) for row in rows if row.gain]
    show_pairs = any(len(gain.seeds) != len(row.scores) for row, gain in gains)
    return [_table_row(row, show_pairs) for row in rows]


def _table_row(row: Row, show_pairs: bool) -> dict:
    gain = row.gain
    pairs = {'pairs': gain and len(gain.seeds)} if show_pairs else {}
    return {
        'method': row.method,
        'mIoU': row.mean,
        '±': row.std,
        'seeds': str(len(row.scores)) if len(row.scores) > 1 else '1 seed',
        'gain': gain and gain.mean,
        **pairs,
        'p': gain and _p(gain.p),
        '% of the gap': gain and gain.of_gap,
        'teacher': row.teacher,
        'x step time': gain.step_time if gain else None,
    }


def _p(p: float | None) -> str | None:
    if p is None:
        return None
    return f'{p:.3f}' if p >= 0.001 else '< 0.001'
