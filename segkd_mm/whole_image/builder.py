"""Building a teacher cache: the teacher's logits on each whole training image, in shards."""

import json
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmseg.registry import DATASETS, MODELS
from rich.progress import track
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.utils.data import DataLoader, Subset

from segkd_mm.datasets.replay import ReplayIndex
from segkd_mm.distill.class_map import ClassMap
from segkd_mm.distill.teacher import Teacher
from segkd_mm.evaluation.confusion import confusion_of_logits
from segkd_mm.files import written_aside
from segkd_mm.labels import UNLABELLED, VOID
from segkd_mm.one_logit import two_class_logits
from segkd_mm.whole_image.cached_teacher import made_from
from segkd_mm.whole_image.images import WholeImages
from segkd_mm.whole_image.packing import choose_top, pack
from segkd_mm.whole_image.store import (
    INDEX,
    REMOVE,
    CacheError,
    check_same,
    fingerprint,
    is_unchanged,
    names_of,
)
from segkd_mm.whole_image.view import View

SHARD = 64  # images
METADATA = 'made_from', 'loader', 'top', 'channels', 'images', 'confusion'  # of a shard
SAMPLED = 16  # images on which the error of packing is measured


class TeacherCacheBuilder:
    """Builder of the teacher cache of a config, shard by shard.

    Args:
        config: A distillation with a ``CachedTeacher``, whose training data are a
            ``WithTeacherCache`` of the same cache.
        device: Where the teacher runs.

    Attributes:
        folder: Where the cache is.
        images: The whole images of the training data.
        made_from: What decides the logits; the cache is bound to it.

    Raises:
        ValueError: The config is of another kind, or its terms need more than one tap.
        WeightsError: The teacher's weights cannot be had or do not fit.
    """

    def __init__(self, config: Config, device: str = 'cpu') -> None:
        init_default_scope(config.get('default_scope', 'mmseg'))
        cached, dataset = _teacher_and_data(config)
        self.folder, self.device = Path(cached.cache), torch.device(device)
        self.view, self.stride = View(**cached.get('view') or {}), cached.get('stride', 8)
        self.tap, self._classes = _tap_and_classes(config.model.terms)
        self._teacher = cached.teacher
        self.made_from = made_from(self._teacher, cached.get('view'), self.stride, self.tap)
        self._dataset = DATASETS.build(dataset.dataset)
        self.images = WholeImages(self._dataset)
        self._names = names_of(self.images.paths)

    @cached_property
    def teacher(self) -> Teacher:
        """The teacher; it takes images as they are loaded."""
        teacher = MODELS.build(self._teacher)
        # A module without a normalisation stands for pixels as they are loaded.
        teacher.prepare({self.tap}, inputs_from=nn.Identity())
        return teacher.to(self.device)

    def predict(self, images: Tensor) -> Tensor:
        """The teacher's logits on images [N, 3, H, W], pixels as they are loaded."""
        return self.teacher(images)[self.tap]

    def logits(self, image: Tensor) -> Tensor:
        """The logits to store of an image, uint8 [3, H, W]: [1, C, h, w] of float32."""
        image = image[None].to(self.device, torch.float32)
        return self.view.logits(self.predict, image, self.stride)

    def shards(self) -> list[range]:
        """Numbers of the images in each shard."""
        count = len(self.images)
        return [range(start, min(start + SHARD, count)) for start in range(0, count, SHARD)]

    def metadata(self, shard: range) -> dict | None:
        """The metadata of a shard; None where it is absent or its images have changed.

        Raises:
            CacheError: The folder holds the cache of something else.
        """
        path = self._path(shard)
        if not path.is_file():
            return None
        metadata = _metadata_of(path)
        check_same(self.folder, metadata['made_from'], self.made_from)
        check_same(self.folder, {'loader': metadata['loader']}, {'loader': self.images.loader})
        paths = [self.images.paths[number] for number in shard]
        recorded = metadata['images']
        same = list(recorded) == [self._names[path] for path in paths]
        same = same and all(is_unchanged(path, recorded[self._names[path]]) for path in paths)
        return metadata if same else None

    def build(self, shards: Sequence[range], top: int | None, workers: int = 0) -> Iterator[dict]:
        """Build shards; each is written when its images are done. Yields the record of each image.

        Args:
            shards: Of :meth:`shards`.
            top: See :func:`segkd_mm.whole_image.packing.pack`.
            workers: Processes that read images.
        """
        # The index describes the shards as they were.
        (self.folder / INDEX).unlink(missing_ok=True)
        numbers = [number for shard in shards for number in shard]
        loader = iter(
            DataLoader(Subset(self.images, numbers), batch_size=None, num_workers=workers)
        )
        for shard in shards:
            tensors, records, confusion = {}, {}, 0
            for item in (next(loader) for _ in shard):
                name, logits = self._names[item['path']], self.logits(item['image'])
                tensors |= {name + end: x for end, x in pack(logits[0], top).items()}
                records[name] = {**fingerprint(item['path']), 'size': [*item['image'].shape[1:]],
                                 'shard': self._path(shard).name}  # fmt: skip
                confusion = confusion + self.confusion(logits, item['labels'])
                yield records[name]
            self._write(shard, tensors, {
                'made_from': self.made_from, 'loader': self.images.loader, 'top': top,
                'channels': logits.shape[1], 'images': records, 'confusion': confusion.tolist(),
            })  # fmt: skip

    def _write(self, shard: range, tensors: dict[str, Tensor], metadata: dict) -> None:
        metadata = {key: json.dumps(value) for key, value in metadata.items()}
        with written_aside(self._path(shard)) as aside:
            save_file(tensors, aside, metadata)

    def _path(self, shard: range) -> Path:
        return self.folder / f'shard_{shard.start // SHARD:05d}.safetensors'

    def finish(self) -> dict:
        """Write the index over the shards, which completes the cache; gives it out.

        Raises:
            CacheError: Shards hold different numbers of logits.
            RuntimeError: A shard is missing.
        """
        shards = [self.metadata(shard) for shard in self.shards()]
        if None in shards:
            raise RuntimeError(f'{self.folder}: {shards.count(None)} shards are missing.')
        if len(tops := {shard['top'] for shard in shards}) > 1:
            raise CacheError(
                f'{self.folder}: its shards hold {tops} of the largest logits, expected one number '
                'in all; remove those of one kind, or the folder, and build it again.'
            )
        index = {key: shards[0][key] for key in ('made_from', 'loader', 'top', 'channels')}
        index['images'] = {name: one for each in shards for name, one in each['images'].items()}
        index['confusion'] = np.sum([each['confusion'] for each in shards], 0).tolist()
        with written_aside(self.folder / INDEX) as aside:
            aside.write_text(json.dumps(index), encoding='utf-8')
        return index

    def size(self) -> int:
        """Bytes of the shards."""
        return sum(self._path(shard).stat().st_size for shard in self.shards())

    def choose_top(self, max_kl: float) -> tuple[int | None, float]:
        """The smallest packing within an error on some images, as ``top``, and its error.

        Args:
            max_kl: Highest mean KL divergence, in nats, of the stored distributions.
        """
        step = max(len(self.images) // SAMPLED, 1)
        numbers = range(0, len(self.images), step)[:SAMPLED]
        numbers = track(numbers, 'images to choose the packing by', transient=True)
        return choose_top([self.logits(self.images[n]['image'])[0].cpu() for n in numbers], max_kl)

    @torch.no_grad()
    def confusion(self, logits: Tensor, labels: Tensor) -> np.ndarray:
        """Pixel counts [C, C] of labels [H, W] (rows) and predictions; 0 of unknown classes."""
        logits = two_class_logits(logits)
        if self._classes is None and logits.shape[1] != len(self._dataset.metainfo['classes']):
            return np.zeros((1, 1), int)
        classes = ClassMap(**self._classes).to(logits.device) if self._classes else None
        return count_pixels(logits, labels, classes)

    def confusion_on_crops(self, count: int) -> np.ndarray:
        """The same counts of a teacher that sees training crops in place of whole images."""
        step, total = max(len(self._dataset) // count, 1), 0
        numbers = range(0, len(self._dataset), step)[:count]
        for number in track(numbers, 'training crops', transient=True):
            sample = self._dataset[ReplayIndex(number, (0, 0, number))]
            logits = self.predict(sample['inputs'][None].to(self.device, torch.float32)).float()
            total = total + self.confusion(logits, sample['data_samples'].gt_sem_seg.data[0])
        return total


def _metadata_of(path: Path) -> dict:
    """The metadata of a shard.

    Raises:
        CacheError: It is damaged.
    """
    try:
        with safe_open(path, framework='pt') as file:
            metadata = {key: json.loads(value) for key, value in file.metadata().items()}
        return {key: metadata[key] for key in METADATA}
    except (AttributeError, KeyError, SafetensorError, ValueError) as error:
        raise CacheError(
            f'{path} is no shard of a teacher cache, or is damaged ({error}). {REMOVE}'
        ) from error


def count_pixels(logits: Tensor, labels: Tensor, classes: ClassMap | None) -> np.ndarray:
    """Pixel counts [C, C] of labels [H, W] (rows) and of a teacher's predictions (columns).

    Args:
        logits: Of one image, [1, C, h, w], which cover it.
        labels: The student's class ids.
        classes: From the teacher's classes and the student's to those that both know.
    """
    labels = labels[None].to(logits.device)
    labels = labels.masked_fill(labels == UNLABELLED, VOID)
    if classes:
        student = logits.new_zeros(1, classes.student_channels, 1, 1)
        _, logits, labels = classes(student, logits, labels)
    return confusion_of_logits(logits, labels).numpy()


def _teacher_and_data(config: Config) -> tuple[dict, dict]:
    teacher, dataset = config.model.get('teacher') or {}, config.train_dataloader.dataset
    if teacher.get('type') != 'CachedTeacher' or dataset.type != 'WithTeacherCache':
        raise ValueError(
            f'{config.filename}: the teacher is {teacher.get("type")}, the training data '
            f'{dataset.type}; expected CachedTeacher and WithTeacherCache, as in '
            'configs/kd/response_kd_cached_camvid.py.'
        )
    if teacher.cache != dataset.cache:
        raise ValueError(
            f'{config.filename}: model.teacher.cache is {teacher.cache}, '
            f'train_dataloader.dataset.cache {dataset.cache}; they must be the same.'
        )
    return teacher, dataset


def _tap_and_classes(terms: dict) -> tuple[str, dict | None]:
    """The one tap of the teacher that all terms learn from, and their mapping of classes."""
    taps = {str(term['teacher']) for term in terms.values()}
    if len(taps) != 1 or not all(isinstance(term['teacher'], str) for term in terms.values()):
        raise ValueError(
            f'The terms learn from the taps {sorted(taps)}, expected one, of logits: that is what '
            "a cache holds. For features run the teacher in training (type='WholeImageTeacher')."
        )
    return taps.pop(), next(iter(terms.values())).get('classes')
