"""Tables of the report: what each run reached, the IoU of each class, the confusion matrix."""

from collections.abc import Mapping, Sequence

import numpy as np

from segkd_mm.visualize.report.runs import PLAIN, Run

LARGEST_MATRIX = 40  # classes; of more, only the most frequent errors are listed
ERRORS = 15
FACTS = {
    'python': 'Python', 'torch': 'torch', 'torchvision': 'torchvision', 'mmengine': 'mmengine',
    'mmcv': 'mmcv', 'mmseg': 'mmseg', 'timm': 'timm', 'segkd_mm': 'segkd_mm', 'commit': 'commit',
    'cpu': 'CPU', 'cores': 'cores', 'gpu': 'GPU', 'platform': 'system',
}  # fmt: skip


def baseline(runs: Sequence[Run]) -> Run | None:
    """What the others are compared with: the first run that was trained on labels alone."""
    tested = [run for run in runs if run.tested]
    plain = [run for run in tested if run.role == PLAIN]
    return next(iter(plain or tested), None) if len(tested) > 1 else None


def are_comparable(runs: Sequence[Run]) -> bool:
    """Whether all that were tested were tested on the same images and classes."""
    tested = [(run.images, tuple(run.tested.get('per_class', ()))) for run in runs if run.tested]
    return len(set(tested)) <= 1


def class_rows(runs: Sequence[Run]) -> list[dict]:
    """A row for each class: its name, its share of the pixels, and of each run IoU and gain."""
    tested = [run for run in runs if run.tested]
    base = baseline(runs)
    classes = dict.fromkeys(name for run in tested for name in run.tested.get('per_class', {}))
    return [
        {
            'class': name,
            'share': _of(tested[0], 'per_class_share', name),
            'cells': [_cell(run, base, name) for run in tested],
        }
        for name in classes
    ]


def _cell(run: Run, base: Run | None, name: str) -> dict:
    iou, reference = (_of(one, 'per_class', name) if one else None for one in (run, base))
    compared = base is not None and run is not base and None not in (iou, reference)
    return {'iou': iou, 'gain': iou - reference if compared else None}


def _of(run: Run, key: str, name: str) -> float | None:
    return run.tested.get(key, {}).get(name)


def versions(run: Run) -> dict[str, object]:
    """What a run was trained with, or else tested: versions, machine and commit."""
    environment = (run.training or run.tested or {}).get('environment') or {}
    facts = {title: environment.get(key) for key, title in FACTS.items()}
    if environment.get('dirty'):
        facts['commit'] = f'{facts["commit"]}, with changes'
    return {title: value for title, value in facts.items() if value is not None}


def confusion_rows(confusion: np.ndarray) -> list[list[float | None]]:
    """Percent of the pixels of each true class; None in a row without pixels."""
    rows = [
        (100 * row / row.sum()).tolist() if row.sum() else [None] * len(row) for row in confusion
    ]
    return rows if len(rows) <= LARGEST_MATRIX else []


def frequent_errors(confusion: np.ndarray) -> list[Mapping[str, float | int]]:
    """The pairs of true and predicted class with most wrong pixels, in percent of all pixels."""
    wrong = confusion.copy()
    np.fill_diagonal(wrong, 0)
    places = np.argsort(wrong, axis=None)[::-1][:ERRORS]
    pairs = [divmod(int(place), len(wrong)) for place in places]
    return [
        {
            'truth': truth,
            'taken': taken,
            'of_all': 100 * wrong[truth, taken] / confusion.sum(),
            'of_class': 100 * wrong[truth, taken] / confusion[truth].sum(),
        }
        for truth, taken in pairs
        if wrong[truth, taken]
    ]
