"""Check of the data: existence, ids and sizes of masks, balance of the classes."""

from collections.abc import Mapping, Sequence

import numpy as np
from PIL import Image
from rich.progress import track
from torch.utils.data import Dataset

from segkd_mm.datasets import LoadCheckedAnnotations, SampleError
from segkd_mm.doctor.experiment import Experiment, evenly_spaced
from segkd_mm.doctor.finding import Finding, Report
from segkd_mm.labels import VOID

RARE = 0.1  # percent of the pixels


def check_data(experiment: Experiment, images: int = 200) -> Report:
    """Check up to ``images`` evenly spaced masks of ``train`` and of ``val``.

    Raises:
        DataLayoutError: The data do not exist.
    """
    report = Report('Data')
    counts = {s: _check_masks(s, experiment.dataset(s), images, report) for s in ('train', 'val')}
    classes = experiment.dataset('train').metainfo['classes']
    for index, name in enumerate(classes):
        shares = {f'{split}, %': _share(pixels, index) for split, pixels in counts.items()}
        report.rows.append({'class': name, **shares})
    report.findings.extend(_balance_findings(report.rows))
    return report


def _check_masks(split: str, dataset: Dataset, images: int, report: Report) -> np.ndarray:
    """Count the pixels of each class in a split; faults of masks are added to the report."""
    infos = [dataset.get_data_info(index) for index in evenly_spaced(len(dataset), images)]
    labelled = [info for info in infos if 'seg_map_path' in info]
    num_classes, pixels = len(dataset.metainfo['classes']), np.zeros(256, dtype=np.int64)
    load = LoadCheckedAnnotations()
    for info in track(labelled, f'masks of {split}', transient=True):
        try:
            mask = load(dict(info))['gt_seg_map'].astype(np.int64)
        except SampleError as error:
            report.findings.append(Finding('error', str(error)))
            continue
        report.findings.extend(_faults(info, mask, num_classes))
        pixels += np.bincount(mask.ravel().clip(0, 255), minlength=256)
    void = 100 * pixels[VOID] / max(pixels.sum(), 1)
    unlabelled = len(infos) - len(labelled)
    without = f', {unlabelled} without labels' if unlabelled else ''
    report.findings.append(
        Finding('ok', f'{split}: {len(dataset)} images, {len(infos)} checked{without}; '
                f'{void:.1f} % of the pixels are void.')
    )  # fmt: skip
    return pixels[:num_classes]


def _faults(info: Mapping, mask: np.ndarray, num_classes: int) -> list[Finding]:
    faults = []
    invalid = [i for i in np.unique(mask).tolist() if not 0 <= i < num_classes and i != VOID]
    if invalid:
        faults.append(
            Finding(
                'error',
                f'{info["seg_map_path"]} holds the ids {invalid}, expected 0 to {num_classes - 1} '
                f'or {VOID} for void.',
                'Check the masks (a palette or colours in place of ids?), the number of classes '
                'and reduce_zero_label.',
            )
        )
    with Image.open(info['img_path']) as image:
        if image.size != mask.shape[::-1]:
            faults.append(
                Finding(
                    'error',
                    f'{info["img_path"]} has {image.size[0]} x {image.size[1]} pixels, its mask '
                    f'{mask.shape[1]} x {mask.shape[0]}.',
                    'Each mask must have the size of its image.',
                )
            )
    return faults


def _share(pixels: np.ndarray, index: int) -> float:
    return 100 * pixels[index].item() / max(pixels.sum().item(), 1)


def _balance_findings(rows: Sequence[Mapping]) -> list[Finding]:
    """Findings on rare and missing classes, of rows ``class``, ``train, %`` and ``val, %``."""
    unseen = [row for row in rows if row['train, %'] == 0]
    only_val = [row['class'] for row in unseen if row['val, %']]
    absent = [row['class'] for row in unseen if not row['val, %']]
    rare = [row['class'] for row in rows if 0 < row['train, %'] < RARE]
    more = 'Check more masks (--masks), or leave these classes out of metainfo.'
    weigh = 'Class weights (ClassWeightHook) or larger crops may help.'
    groups = [
        (
            'warning',
            'In val, but in no checked training mask, so not learned',
            only_val,
            more,
        ),
        ('note', 'In no checked mask', absent, more),
        ('note', f'Below {RARE} % of the training pixels, so that IoU is noisy', rare, weigh),
    ]
    return [
        Finding(level, f'{text}: {", ".join(names)}.', advice)
        for level, text, names, advice in groups
        if names
    ]
