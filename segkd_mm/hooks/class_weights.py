"""Hook that sets cross-entropy class weights from the pixels of each class in the masks."""

import json
import os
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

import numpy as np
from mmengine.dist import broadcast_object_list, is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmseg.models.losses import CrossEntropyLoss
from mmseg.registry import HOOKS, MODELS, TRANSFORMS
from rich.progress import track
from torch import nn
from torch.utils.data import Dataset

from segkd_mm.files import written_aside
from segkd_mm.hooks.unwrap import unwrapped_model


def class_weights(pixels: np.ndarray) -> list[float]:
    """Compute class weights ``1 / ln(1.02 + p)``, p the share of the labelled pixels: 1.42 to 50.5.

    Only their ratios matter: the loss is divided by the sum of the weights of its pixels.

    Source: ENet, arXiv 1606.02147, section 5.2.

    Args:
        pixels: Number of pixels of each class, [C].
    """
    return (1 / np.log(1.02 + pixels / pixels.sum())).tolist()


def count_pixels(dataset: Dataset) -> np.ndarray:
    """Count the pixels of each class in all masks of an mmseg data set, without void: [C].

    Samples without a mask are skipped. The counts are cached in ``$XDG_CACHE_HOME/segkd_mm``
    (``~/.cache/segkd_mm``) and are valid while the masks' names, sizes and dates and the classes
    stay the same.

    Raises:
        ValueError: No pixel has a class.
    """
    infos = [dataset.get_data_info(index) for index in range(len(dataset))]
    infos = [info for info in infos if 'seg_map_path' in info]
    cached = _cache_file(infos)
    num_classes = len(dataset.metainfo['classes'])
    if (counts := _cached_counts(cached, num_classes)) is not None:
        return counts
    pixels = np.zeros(num_classes, dtype=np.int64)
    load = TRANSFORMS.build({'type': 'LoadCheckedAnnotations'})
    for info in track(infos, 'Counting the pixels of each class', transient=True):
        mask = load(info)['gt_seg_map']
        pixels += np.bincount(mask.ravel(), minlength=256)[:num_classes]
    if not pixels.any():
        raise ValueError(
            f'The {len(infos)} training masks, such as {infos[0]["seg_map_path"]}, hold no pixel '
            f'of the {num_classes} classes, only void or other ids; check masks and classes.'
        )
    with written_aside(cached) as aside:
        aside.write_text(json.dumps(pixels.tolist()))
    return pixels


def _cached_counts(file: Path, num_classes: int) -> np.ndarray | None:
    """The counts in a file of the cache; None where they are not there, or are damaged."""
    with suppress(OSError, ValueError):
        counts = np.array(json.loads(file.read_text(encoding='utf-8')))
        if counts.shape == (num_classes,) and counts.dtype == np.int64 and counts.sum() > 0:
            return counts
    return None


def _cache_file(infos: list[dict]) -> Path:
    masks = [info['seg_map_path'] for info in infos]
    stats = [(path, os.stat(path).st_size, os.stat(path).st_mtime_ns) for path in masks]
    labels = [(infos[0]['label_map'], infos[0]['reduce_zero_label'])]
    digest = sha256(repr(stats + labels).encode()).hexdigest()[:16]
    cache = Path(os.environ.get('XDG_CACHE_HOME') or Path.home() / '.cache')
    return cache / 'segkd_mm' / f'class_pixels_{digest}.json'


@HOOKS.register_module()
class ClassWeightHook(Hook):
    """Set the :func:`class_weights` of the training masks in every cross-entropy of the model.

    Those are the student's ``CrossEntropyLoss`` or ``LabelledCrossEntropyLoss``, and
    ``PseudoLabelLoss`` of the terms. The log shows the share and the weight of each class.

    Raises:
        ValueError: The model has no CrossEntropyLoss, or one with ``avg_non_ignore`` or
            ``use_sigmoid``, which mmseg does not support together with class weights.
    """

    def before_train(self, runner: Runner) -> None:
        dataset = runner.train_dataloader.dataset
        pixels, weights = set_class_weights(unwrapped_model(runner), dataset)
        rows = zip(dataset.metainfo['classes'], pixels / pixels.sum(), weights, strict=True)
        runner.logger.info(
            'ClassWeightHook: share of the training pixels and weight of each class:\n'
            + '\n'.join(f'  {name:<16} {share:7.2%}  {weight:6.2f}' for name, share, weight in rows)
        )


def set_class_weights(model: nn.Module, dataset: Dataset) -> tuple[np.ndarray, list[float]]:
    """Set the weights in a model as :class:`ClassWeightHook` does.

    Returns:
        Number of pixels and weight of each class.

    Raises:
        ValueError: As of :class:`ClassWeightHook`.
    """
    broadcast = [count_pixels(dataset) if is_main_process() else None]
    broadcast_object_list(broadcast)
    pixels = broadcast[0]
    weights = class_weights(pixels)
    for loss in _cross_entropies(model):
        loss.class_weight = weights
    for module in model.modules():
        if isinstance(module, MODELS.get('PseudoLabelLoss')):
            module.class_weights = weights
    return pixels, weights


def _cross_entropies(model: nn.Module) -> list[CrossEntropyLoss]:
    losses = {n: m for n, m in model.named_modules() if isinstance(m, CrossEntropyLoss)}
    if not losses:
        raise ValueError(
            f'ClassWeightHook found no CrossEntropyLoss in {type(model).__name__}; remove the hook.'
        )
    for name, loss in losses.items():
        # mmseg takes the weights of a sigmoid as factors of the image's columns.
        for option in ('avg_non_ignore', 'use_sigmoid'):
            if getattr(loss, option):
                raise ValueError(
                    f'ClassWeightHook: {name} has {option}=True, with which mmseg '
                    "cannot weigh classes. Write type='LabelledCrossEntropyLoss' in place of "
                    f"'CrossEntropyLoss' and {option}: it averages over the labelled pixels, and "
                    'takes one logit as two.'
                )
    return list(losses.values())
