"""Check of the data: files, ids and sizes of masks, balance of the classes."""

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
from mmcv.transforms import LoadImageFromFile
from mmengine.dataset import BaseDataset
from mmseg.registry import MODELS
from rich.progress import track
from torch.utils.data import Dataset

from segkd_mm.config import plain_student
from segkd_mm.datasets import LoadCheckedAnnotations, SampleError
from segkd_mm.datasets.sample_error import named_image_errors
from segkd_mm.datasets.wrapped import iterate_wrapped
from segkd_mm.doctor.experiment import Experiment
from segkd_mm.doctor.finding import Finding, Report
from segkd_mm.doctor.pixels import normalisation_findings
from segkd_mm.evenly_spaced import evenly_spaced
from segkd_mm.hooks import LabelError, check_outputs
from segkd_mm.labels import VOID

RARE = 0.1  # percent of the pixels


def check_data(experiment: Experiment, images: int | None = 200) -> Report:
    """Check up to ``images`` evenly spaced samples of ``train`` and of ``val``; all if it is None.

    Raises:
        DataLayoutError: The data do not exist.
        ValueError: A split has no list of classes.
    """
    report = Report('Data')
    for split in ('train', 'val'):
        _check_classes(split, experiment.dataset(split))
    counts = {s: _check_split(s, experiment.dataset(s), images, report) for s in ('train', 'val')}
    report.findings.extend(_label_findings(experiment))
    classes = experiment.dataset('train').metainfo['classes']
    for index, name in enumerate(classes):
        shares = {f'{split}, %': _share(pixels, index) for split, pixels in counts.items()}
        report.rows.append({'class': name, **shares})
    report.findings.extend(_balance_findings(report.rows))
    report.findings.extend(_model_findings(experiment, classes))
    return report


def _check_classes(split: str, dataset: Dataset) -> None:
    if not dataset.metainfo.get('classes'):
        raise ValueError(
            f'The data set of {split}, {type(dataset).__name__}, has no list of classes: write '
            "metainfo=dict(classes=['NAME', ...]) in its config, or METAINFO in its class."
        )


def _check_split(split: str, dataset: Dataset, images: int | None, report: Report) -> np.ndarray:
    """Count the pixels of each class in a split; faulty files are added to the report."""
    num_classes, pixels = len(dataset.metainfo['classes']), np.zeros(256, dtype=np.int64)
    chosen = evenly_spaced(len(dataset), images or len(dataset))
    infos = [{'num_classes': num_classes, **dataset.get_data_info(i)} for i in chosen]
    faults: list[SampleError] = []
    load = _loader(dataset)
    for info in track(infos, f'images of {split}', transient=True):
        try:
            mask = load(info)
        except SampleError as error:
            faults.append(error)
        else:
            pixels += np.bincount(mask.ravel(), minlength=256)
    report.files.extend({'split': split, **fault.parts} for fault in faults)
    report.findings.extend(_file_findings(split, faults, len(infos)))
    unlabelled = sum('seg_map_path' not in info for info in infos)
    void = 100 * pixels[VOID] / max(pixels.sum(), 1)
    without = f', {unlabelled} without labels' if unlabelled else ''
    report.findings.append(
        Finding('ok', f'{split}: {len(dataset)} images, {len(infos)} checked{without}; '
                f'{void:.1f} % of the pixels are void.')
    )  # fmt: skip
    return pixels[:num_classes]


def _loader(dataset: Dataset) -> Callable[[dict], np.ndarray]:
    """What loads the mask of a sample after its image, [H, W]; of an unlabelled one [0]."""
    bases = (part for part in iterate_wrapped(dataset) if isinstance(part, BaseDataset))
    steps = (step for base in bases for step in base.pipeline.transforms)
    loads = (step for step in steps if isinstance(step, LoadImageFromFile))
    load_image, load_mask = next(loads, LoadImageFromFile()), LoadCheckedAnnotations()

    def load(info: dict) -> np.ndarray:
        with named_image_errors(info['img_path']):
            results = load_mask(load_image({**info, 'seg_fields': []}))
        return results.get('gt_seg_map', np.zeros(0, np.uint8))

    return load


def _file_findings(split: str, faults: Sequence[SampleError], checked: int) -> Iterator[Finding]:
    """A finding for each kind of fault: the first file, and how many have it."""
    kinds: dict[str, list[SampleError]] = {}
    for fault in faults:
        kinds.setdefault(fault.parts['what to do'], []).append(fault)
    for advice, alike in kinds.items():
        parts = alike[0].parts
        text = f'{parts["file"]}: found {parts["found"]}, expected {parts["expected"]}.'
        if len(alike) > 1:
            text = f'{split}: {len(alike)} of {checked} samples are like this one: {text}'
        yield Finding('error', text, advice)


def _label_findings(experiment: Experiment) -> list[Finding]:
    if experiment.is_distilled:
        return []
    dataset = experiment.dataset('train')
    infos = (dataset.get_data_info(index) for index in range(len(dataset)))
    unlabelled = [info['img_path'] for info in infos if 'seg_map_path' not in info]
    if not unlabelled:
        return []
    return [
        Finding(
            'error',
            f'{len(unlabelled)} training images have no labels, such as {unlabelled[0]}, but the '
            'model has no teacher to learn from there.',
            'Take them out of the training data, or distil (docs/few_labels.md).',
        )
    ]


def _model_findings(experiment: Experiment, classes: Sequence[str]) -> list[Finding]:
    # Without weights, so that what is found in the data is shown also where those are missing.
    model = MODELS.build(plain_student(experiment.config).model)
    try:
        check_outputs(model, classes)
    except LabelError as error:
        return [Finding('error', str(error))]
    return [*normalisation_findings(model.data_preprocessor, experiment.dataset('train'))]


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
