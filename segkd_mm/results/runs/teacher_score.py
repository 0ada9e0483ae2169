"""The teacher's own test result: what a student could reach at best by imitation."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import torch
from filelock import FileLock
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.registry import init_default_scope
from mmseg.registry import DATASETS, MODELS
from rich.progress import track
from torch import Tensor, nn
from torch.utils.data import DataLoader

from segkd_mm.distill.class_map import ClassMap
from segkd_mm.distill.teacher import Teacher
from segkd_mm.evaluation import class_scores, mean_iou
from segkd_mm.results.files import read_results, write_result
from segkd_mm.results.runs.cells import lock_file, tree_hash
from segkd_mm.whole_image.builder import count_pixels
from segkd_mm.whole_image.cached_teacher import made_from
from segkd_mm.whole_image.images import WholeImages
from segkd_mm.whole_image.view import View

FOLDER = 'teachers'


def test_teacher(config: Config, results: Path) -> dict | None:
    """What a distillation's teacher scores on the test split; of several the best one.

    It is shown the whole of each image, in the view of a ``CachedTeacher``, and predicts for all
    pixels as :class:`mmseg.evaluation.IoUMetric` counts them. Measured once: it is kept in
    ``RESULTS/teachers/<hash>.json``.

    Returns:
        ``mIoU`` in percent, ``view``, ``checkpoint``, the sha256 of the ``weights`` and the
        ``file``; None of a model without a teacher, or whose teacher gives features alone.

    Raises:
        WeightsError: The teacher's weights cannot be had or do not fit.
    """
    init_default_scope(config.get('default_scope', 'mmseg'))
    scores = [_kept(each, terms, config, results) for each, terms in _teachers(config.model)]
    known = [score for score in scores if score['mIoU'] is not None]
    return max(known, key=lambda score: score['mIoU'], default=None)


test_teacher.__test__ = False  # no test of pytest's


def _teachers(model: Mapping) -> Iterator[tuple[dict, list[dict]]]:
    """Each teacher's config, with the terms that learn from it."""
    if model['type'] != 'SegDistiller':
        return
    teacher, terms = model['teacher'], [*model['terms'].values()]
    if 'members' not in teacher:
        yield teacher, terms
    for name, member in teacher.get('members', {}).items():
        yield member, [term for term in terms if f'{name}.' in str(term['teacher'])]


def _kept(given: Mapping, terms: list[dict], config: Config, results: Path) -> dict:
    """The score of one teacher, measured where it is not on file."""
    teacher, view = _split(given)
    classes = next((term['classes'] for term in terms if term.get('classes')), None)
    # Scores do not depend on how a cache is stored, and older ones stay valid.
    made = {**made_from(teacher, view, stride=1, tap='output'), 'format': 1}
    dataset = config.test_dataloader.dataset
    file = results / FOLDER / f'{tree_hash([made, classes, dataset])[:16]}.json'
    with FileLock(lock_file(file)):
        if not file.is_file():
            about = {'config': config.filename, 'checkpoint': teacher['checkpoint'], **made}
            scores = _measure(teacher, View(**view or {}), classes, dataset)
            write_result(file, {**about, **scores})
    (result,) = read_results([file])
    return {
        'mIoU': result['metrics']['mIoU'],
        'view': result['view'],
        'checkpoint': result['checkpoint'],
        'weights': result['weights'],
        'file': f'{FOLDER}/{file.name}',
    }


def _split(given: Mapping) -> tuple[dict, dict | None]:
    """The config of the teacher itself, and the arguments of its view."""
    return given.get('teacher', given), given.get('view')


@torch.no_grad()
def _measure(teacher: Mapping, view: View, classes: Mapping | None, dataset: dict) -> dict:
    """Scores of a teacher on the images of a data set, over the classes that it shares with them.

    A teacher that gives no logits of those classes has none.
    """
    device = torch.device(get_device())
    model, mapped = _build(teacher, classes, device)
    built = DATASETS.build(dataset)
    images, names = WholeImages(built), list(built.metainfo['classes'])
    about = {'split': 'test', 'images': len(images)}
    channels = mapped.teacher_channels if mapped else len(names)
    if not _gives_logits(model, images[0]['image'][None].to(device, torch.float32), channels):
        return {**about, 'metrics': {'mIoU': None}}
    total = 0
    loader = DataLoader(images, batch_size=None, num_workers=2)
    for item in track(loader, 'the teacher on test images', len(images)):
        logits = view.logits(model.output, item['image'][None].to(device, torch.float32), stride=1)
        total = total + count_pixels(logits, item['labels'], mapped)
    shared = [names[ours[0]] for ours, _ in mapped.groups] if mapped else names
    return {**about, **_scores(total, shared)}


def _build(
    teacher: Mapping, classes: Mapping | None, device: torch.device
) -> tuple[Teacher, ClassMap | None]:
    model = MODELS.build(teacher)
    # A module without a normalisation stands for pixels as they are loaded.
    model.prepare((), inputs_from=nn.Identity())
    mapped = ClassMap(**classes).to(device) if classes else None
    if mapped:
        mapped.drops = False  # as the student has to, it decides everywhere
    return model.to(device), mapped


def _gives_logits(model: Teacher, image: Tensor, channels: int) -> bool:
    out = model.output(image)
    return isinstance(out, Tensor) and out.ndim == 4 and out.shape[1] == channels


def _scores(confusion: np.ndarray, classes: list[str]) -> dict:
    per_class = {row['class']: row['IoU'] for row in class_scores(confusion, classes)}
    metrics = {
        'mIoU': mean_iou(confusion),
        'aAcc': 100 * float(confusion.trace() / confusion.sum()),
    }
    return {'metrics': metrics, 'per_class': per_class}
