"""Test scores of teachers, for comparison with their students."""

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
from segkd_mm.distill.mixture import tap_weights
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
    """Test the teacher of a distillation config on the test split; the best one of several.

    The teacher sees whole images, in the view of a ``CachedTeacher``, and is scored like
    :class:`mmseg.evaluation.IoUMetric`. The score is stored in ``RESULTS/teachers/<hash>.json`` and
    not measured again.

    Returns:
        ``mIoU`` in percent, ``view``, ``checkpoint``, the sha256 of the ``weights`` and the
        ``file``; None for a model without a teacher, or with a teacher of features only.

    Raises:
        WeightsError: The teacher's weights cannot be read or do not fit.
    """
    init_default_scope(config.get('default_scope', 'mmseg'))
    scores = [_score(each, terms, config, results) for each, terms in _teachers(config.model)]
    scores = [score for score in scores if score['mIoU'] is not None]
    return max(scores, key=lambda score: score['mIoU'], default=None)


test_teacher.__test__ = False  # not a pytest test


def _teachers(model: Mapping) -> Iterator[tuple[dict, list[dict]]]:
    """Config of each teacher, with the terms that use it."""
    if model['type'] != 'SegDistiller':
        return
    teacher, terms = model['teacher'], [*model['terms'].values()]
    inner = teacher.get('teacher', teacher)  # of a teacher of whole images
    if 'members' not in inner:
        yield teacher, terms
    for name, member in inner.get('members', {}).items():
        one = {**teacher, 'teacher': member} if 'teacher' in teacher else member
        yield one, [term for term in terms if _uses(term, name)]


def _uses(term: Mapping, member: str) -> bool:
    return any(tap.startswith(f'{member}.') for tap in tap_weights(term['teacher']))


def _score(teacher: Mapping, terms: list[dict], config: Config, results: Path) -> dict:
    """Score of a teacher, measured if it is not stored yet."""
    teacher, view = teacher.get('teacher', teacher), teacher.get('view')
    classes = next((term['classes'] for term in terms if term.get('classes')), None)
    # Scores do not depend on the format and the taps of a cache: older ones stay valid.
    settings = {**made_from(teacher, view, stride=1, taps=()), 'format': 1, 'tap': 'output'}
    del settings['taps']
    dataset = config.test_dataloader.dataset
    file = results / FOLDER / f'{tree_hash([settings, classes, dataset])[:16]}.json'
    with FileLock(lock_file(file)):
        if not file.is_file():
            source = {'config': config.filename, 'checkpoint': teacher['checkpoint'], **settings}
            scores = _measure(teacher, View(**view or {}), classes, dataset)
            write_result(file, {**source, **scores})
    (result,) = read_results([file])
    return {
        'mIoU': result['metrics']['mIoU'],
        'view': result['view'],
        'checkpoint': result['checkpoint'],
        'weights': result['weights'],
        'file': f'{FOLDER}/{file.name}',
    }


@torch.no_grad()
def _measure(teacher: Mapping, view: View, classes: Mapping | None, dataset: dict) -> dict:
    """Measure the scores of a teacher on a data set, over the classes that both have.

    The mIoU is None if the teacher does not give logits of these classes.
    """
    device = torch.device(get_device())
    model, mapped = _build(teacher, classes, device)
    built = DATASETS.build(dataset)
    images, names = WholeImages(built), list(built.metainfo['classes'])
    test_set = {'split': 'test', 'images': len(images)}
    channels = mapped.teacher_channels if mapped else len(names)
    if not _gives_logits(model, images[0]['image'][None].to(device, torch.float32), channels):
        return {**test_set, 'metrics': {'mIoU': None}}
    confusion = 0
    loader = DataLoader(images, batch_size=None, num_workers=2)
    for item in track(loader, 'teacher on test images', len(images)):
        logits = view.logits(model.output, item['image'][None].to(device, torch.float32), stride=1)
        confusion = confusion + count_pixels(logits, item['labels'], mapped)
    shared = [names[ours[0]] for ours, _ in mapped.groups] if mapped else names
    return {**test_set, **_scores(confusion, shared)}


def _build(
    teacher: Mapping, classes: Mapping | None, device: torch.device
) -> tuple[Teacher, ClassMap | None]:
    model = MODELS.build(teacher)
    # A module without a normalisation: the inputs are unnormalised pixels.
    model.prepare((), inputs_from=nn.Identity())
    mapped = ClassMap(**classes).to(device) if classes else None
    if mapped:
        mapped.drops = False  # it must predict every pixel, like the student
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
