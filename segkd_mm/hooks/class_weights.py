"""Cross-entropy weights from how many pixels the classes have in the training masks."""

import json
import os
from hashlib import sha256
from pathlib import Path

import numpy as np
from mmengine.dist import broadcast_object_list, is_main_process
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from mmseg.models.losses import CrossEntropyLoss
from mmseg.registry import HOOKS, TRANSFORMS
from rich.progress import track
from torch import nn
from torch.utils.data import Dataset

from segkd_mm.files import written_aside


def class_weights(pixels: np.ndarray) -> list[float]:
    """``1 / ln(1.02 + p)`` of each class, p its share of the labelled pixels: 1.42 to 50.5.

    Only ratios matter, since the loss is divided by the sum of the weights of its pixels.

    Source: ENet, arXiv 1606.02147, section 5.2.

    Args:
        pixels: Number of pixels of each class, [C].
    """
    return (1 / np.log(1.02 + pixels / pixels.sum())).tolist()


def count_pixels(dataset: Dataset) -> np.ndarray:
    """Number of pixels of each class in all masks of a data set of mmseg's, void left out: [C].

    Samples without a mask are passed over. Counted once: the numbers are kept in
    ``$XDG_CACHE_HOME/segkd_mm`` (``~/.cache/segkd_mm``) and hold as long as the masks' names, sizes
    and dates and the classes stay the same.

    Raises:
        ValueError: No pixel has a class.
    """
    infos = [dataset.get_data_info(index) for index in range(len(dataset))]
    infos = [info for info in infos if 'seg_map_path' in info]
    kept = _cache_file(infos)
    if kept.exists():
        return np.array(json.loads(kept.read_text()))
    num_classes = len(dataset.metainfo['classes'])
    pixels = np.zeros(num_classes, dtype=np.int64)
    load = TRANSFORMS.build({'type': 'LoadCheckedAnnotations'})
    for info in track(infos, 'Counting the pixels of each class', transient=True):
        mask = load(info)['gt_seg_map']
        pixels += np.bincount(mask.ravel(), minlength=256)[:num_classes]
    if not pixels.any():
        raise ValueError(
            f'The {len(infos)} training masks, {infos[0]["seg_map_path"]} and so on, hold no pixel '
            f'of the {num_classes} classes, only void or other ids; check masks and classes.'
        )
    with written_aside(kept) as aside:
        aside.write_text(json.dumps(pixels.tolist()))
    return pixels


def _cache_file(infos: list[dict]) -> Path:
    masks = [info['seg_map_path'] for info in infos]
    stats = [(path, os.stat(path).st_size, os.stat(path).st_mtime_ns) for path in masks]
    labels = [(infos[0]['label_map'], infos[0]['reduce_zero_label'])]
    digest = sha256(repr(stats + labels).encode()).hexdigest()[:16]
    cache = Path(os.environ.get('XDG_CACHE_HOME') or Path.home() / '.cache')
    return cache / 'segkd_mm' / f'class_pixels_{digest}.json'


@HOOKS.register_module()
class ClassWeightHook(Hook):
    """Give every cross-entropy of the model the :func:`class_weights` of the training masks.

    The log shows the share of each class and its weight.

    Raises:
        ValueError: A CrossEntropyLoss has ``avg_non_ignore``, which mmseg cannot do with weights;
            or the model has none.
    """

    def before_train(self, runner: Runner) -> None:
        dataset = runner.train_dataloader.dataset
        counted = [count_pixels(dataset) if is_main_process() else None]
        broadcast_object_list(counted)
        weights = class_weights(counted[0])
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        for loss in _cross_entropies(model):
            loss.class_weight = weights
        rows = zip(dataset.metainfo['classes'], counted[0] / counted[0].sum(), weights, strict=True)
        runner.logger.info(
            'ClassWeightHook weighs the cross-entropy, by share of the training pixels:\n'
            + '\n'.join(f'  {name:<16} {share:7.2%}  {weight:6.2f}' for name, share, weight in rows)
        )


def _cross_entropies(model: nn.Module) -> list[CrossEntropyLoss]:
    losses = {n: m for n, m in model.named_modules() if isinstance(m, CrossEntropyLoss)}
    if not losses:
        raise ValueError(f'ClassWeightHook found no CrossEntropyLoss in {type(model).__name__}.')
    for name, loss in losses.items():
        if loss.avg_non_ignore:
            raise ValueError(
                f'ClassWeightHook: {name} has avg_non_ignore=True, expected False. With class '
                'weights mmseg averages over the labelled pixels by itself, and fails with this.'
            )
    return list(losses.values())
