"""What methods are worth beside a baseline, with the noise of the seeds: rows of a leaderboard.

Results are those of ``tools/compare.py``. A method is held against the baseline seed by seed, since
what a seed draws (weights, order of images, augmentation) is the same for both.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import mean, median, stdev

from scipy.stats import ttest_rel

from segkd_mm.results.speed_accuracy import tested_images

Results = Mapping[int, Mapping]  # by seed
HARDWARE = ('cpu', 'gpu', 'threads')


@dataclass(frozen=True)
class Gain:
    """A method beside the baseline, over the seeds that both have.

    Attributes:
        seeds: Those seeds.
        mean: Points of mIoU.
        p: Of the two-sided paired t-test, the probability of a difference as large by chance; None
            of a single seed. For one comparison: of twenty methods one has 0.05 by chance.
        of_gap: Share of the way from the baseline to the teacher, in percent; None without a
            teacher that is better than the baseline.
        step_time: Seconds per iteration as a multiple of the baseline's: the median over seeds that
            were trained on the same hardware; None where there are none.
        per_class: Points of IoU by class; None of classes without an IoU.
    """

    seeds: tuple[int, ...]
    mean: float
    p: float | None
    of_gap: float | None
    step_time: float | None
    per_class: dict[str, float | None]


@dataclass(frozen=True)
class Row:
    """A method: test mIoU in percent by seed, mean and sample standard deviation over seeds.

    ``std`` is None of a single seed, ``gain`` of the baseline and where no seed is in common,
    ``teacher`` (its mIoU) of a method without one.
    """

    method: str
    scores: dict[int, float]
    mean: float
    std: float | None
    teacher: float | None
    gain: Gain | None


def leaderboard_rows(results: Mapping[str, Results], baseline: str) -> list[Row]:
    """The rows of a leaderboard, best first.

    Args:
        results: By method and seed; methods without any are left out.
        baseline: The method with which the others are compared.

    Raises:
        ValueError: Results are of different test images or classes, or those of one method of
            different teachers.
    """
    results = {method: by_seed for method, by_seed in results.items() if by_seed}
    _check_alike(results)
    base = results.get(baseline, {})
    rows = [
        _row(method, by_seed, {} if method == baseline else base)
        for method, by_seed in results.items()
    ]
    return sorted(rows, key=lambda row: -row.mean)


def _row(method: str, results: Results, base: Results) -> Row:
    scores = {seed: miou(result) for seed, result in results.items()}
    values, teacher = list(scores.values()), _teacher(results)
    return Row(
        method=method,
        scores=scores,
        mean=mean(values),
        std=stdev(values) if len(values) > 1 else None,
        teacher=teacher,
        gain=gain_over_baseline(base, results, teacher),
    )


def gain_over_baseline(base: Results, results: Results, teacher: float | None) -> Gain | None:
    """What a method gains over the baseline; None where they have no seed in common."""
    seeds = tuple(seed for seed in results if seed in base)
    if not seeds:
        return None
    ours, theirs = ([miou(of[seed]) for seed in seeds] for of in (results, base))
    gained = mean(ours) - mean(theirs)
    gap = (teacher or 0.0) - mean(theirs)
    return Gain(
        seeds=seeds,
        mean=gained,
        p=paired_p(ours, theirs),
        of_gap=100 * gained / gap if gap > 0 else None,
        step_time=_step_time(results, base, seeds),
        per_class=_per_class(results, base, seeds),
    )


def paired_p(ours: Sequence[float], theirs: Sequence[float]) -> float | None:
    """The p of a two-sided paired t-test; None where all pairs differ alike, as a single one does.

    Then nothing tells the noise.
    """
    if len({one - other for one, other in zip(ours, theirs, strict=True)}) < 2:
        return None
    return float(ttest_rel(ours, theirs).pvalue)


def miou(result: Mapping) -> float:
    """Test mIoU in percent."""
    return result['metrics']['mIoU']


def _teacher(results: Results) -> float | None:
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
        known = [(ours[name], theirs[name]) for ours, theirs in pairs]
        known = [ours - theirs for ours, theirs in known if None not in (ours, theirs)]
        gains[name] = mean(known) if known else None
    return gains


def _check_alike(results: Mapping[str, Results]) -> None:
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
            f'Results of different {what}: {listed}. Delete the files of those that do not belong '
            'here, and run them again.'
        )


def table_rows(rows: Sequence[Row]) -> list[dict]:
    """Rows for people; with a column of the pairs where seeds are missing on one side."""
    gains = [(row, row.gain) for row in rows if row.gain]
    uneven = any(len(gain.seeds) != len(row.scores) for row, gain in gains)
    return [_table_row(row, uneven) for row in rows]


def _table_row(row: Row, uneven: bool) -> dict:
    gain = row.gain
    pairs = {'pairs': gain and len(gain.seeds)} if uneven else {}
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
