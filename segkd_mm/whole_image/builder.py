"""Building a teacher cache: the teacher's maps of each whole training image, in shards."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import cached_property
from math import ceil
from pathlib import Path
from typing import NamedTuple

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
from segkd_mm.distill.ensemble import TeacherEnsemble
from segkd_mm.distill.mixture import Mixture, tap_weights
from segkd_mm.distill.teacher import Teacher
from segkd_mm.evaluation.confusion import confusion_of_logits
from segkd_mm.evenly_spaced import evenly_spaced
from segkd_mm.files import written_aside
from segkd_mm.json_files import JsonFileError, JsonObject, parsed_object
from segkd_mm.labels import UNLABELLED, VOID
from segkd_mm.one_logit import two_class_logits
from segkd_mm.whole_image.cached_teacher import made_from
from segkd_mm.whole_image.checks import REMOVE, CacheError, check_format, check_metadata
from segkd_mm.whole_image.images import WholeImages
from segkd_mm.whole_image.packing import Storage, choose_feature_packing, choose_top, pack
from segkd_mm.whole_image.store import (
    INDEX,
    check_same,
    fingerprint,
    is_unchanged,
    names_of,
    stored_key,
)
from segkd_mm.whole_image.view import View

SHARD = 64  # images
SAMPLED = 16  # images on which the error of packing is measured


class Choice(NamedTuple):
    """How to store the maps of a tap, the error of that, and whether they are logits.

    The error is a KL divergence in nats of logits, a relative error of features.
    """

    storage: Storage
    error: float
    is_logits: bool


class TeacherCacheBuilder:
    """Builder of the teacher cache of a config, shard by shard.

    Args:
        config: A distillation with a ``CachedTeacher``, whose training data are a
            ``WithTeacherCache`` of the same cache.
        device: Where the teacher runs.

    Attributes:
        folder: Where the cache is.
        images: The whole images of the training data.
        taps: Whose maps are stored: those of the terms, and others that the cache has already.
        made_from: What decides the maps; the cache is bound to it.

    Raises:
        CacheError: A shard is damaged.
        ValueError: The config is of another kind, a term's weights of teachers are not above 0, or
            an ensemble drops its members.
        WeightsError: The teacher's weights cannot be had or do not fit.
    """

    def __init__(self, config: Config, device: str = 'cpu') -> None:
        init_default_scope(config.get('default_scope', 'mmseg'))
        cached, dataset = _teacher_and_data(config)
        self.folder, self.device = Path(cached.cache), torch.device(device)
        self.view, self.stride = View(**cached.get('view') or {}), cached.get('stride', 8)
        terms = config.model.terms
        self.taps = _taps_of(
            self.folder, {tap for t in terms.values() for tap in tap_weights(t['teacher'])}
        )
        self._targets = [
            (Mixture(name, tap_weights(term['teacher'])), term.get('classes'))
            for name, term in terms.items()
        ]
        # A cache may hold logits that no term of this config uses.
        self._targets += [(Mixture(tap, {tap: 1.0}), None) for tap in self.taps]
        self._teacher = cached.teacher
        self.made_from = made_from(self._teacher, cached.get('view'), self.stride, self.taps)
        self._dataset = DATASETS.build(dataset.dataset)
        self.images = WholeImages(self._dataset)
        self._names = names_of(self.images.paths)

    @cached_property
    def teacher(self) -> Teacher | TeacherEnsemble:
        """The teacher; it takes images as they are loaded."""
        teacher = MODELS.build(self._teacher)
        # A module without a normalisation stands for pixels as they are loaded.
        teacher.prepare(set(self.taps), inputs_from=nn.Identity())
        return teacher.to(self.device)

    def predict(self, images: Tensor) -> dict[str, Tensor]:
        """The teacher's maps of images [N, 3, H, W], pixels as they are loaded, by tap."""
        return self.teacher(images)

    @cached_property
    def logit_taps(self) -> set[str]:
        """The taps of logits; the others are of features."""
        return self.teacher.logit_taps()

    def maps(self, item: Mapping) -> dict[str, Tensor]:
        """The maps to store of one of the images, by tap: [1, C, h, w] of float32.

        Raises:
            CacheError: They hold NaN or infinity.
        """
        image = item['image'][None].to(self.device, torch.float32)
        maps = self.view.maps(self.predict, image, self.stride, self.logit_taps)
        for tap, x in maps.items():
            if not x.isfinite().all():
                raise CacheError(
                    f'{item["path"]}: the teacher gives NaN or infinity at tap {tap!r}, expected '
                    "finite numbers. Try precision='fp32' in the config of the teacher."
                )
        return maps

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

    def build(
        self, shards: Sequence[range], taps: Mapping[str, Storage], workers: int = 0
    ) -> Iterator[dict]:
        """Build shards; each is written when its images are done. Yields the record of each image.

        Args:
            shards: Of :meth:`shards`.
            taps: How the maps of each tap are stored.
            workers: Processes that read images.
        """
        # The index describes the shards as they were.
        (self.folder / INDEX).unlink(missing_ok=True)
        numbers = [number for shard in shards for number in shard]
        loader = iter(
            DataLoader(Subset(self.images, numbers), batch_size=None, num_workers=workers)
        )
        stored = {tap: asdict(storage) for tap, storage in taps.items()}
        for shard in shards:
            tensors, records, confusion = {}, {}, 0
            for item in (next(loader) for _ in shard):
                name, maps = self._names[item['path']], self.maps(item)
                tensors |= _packed(name, maps, taps)
                records[name] = {**fingerprint(item['path']), 'size': [*item['image'].shape[1:]],
                                 'shard': self._path(shard).name}  # fmt: skip
                confusion = confusion + self.confusion(maps, item['labels'])
                yield records[name]
            self._write(shard, tensors, {
                'made_from': self.made_from, 'loader': self.images.loader, 'taps': stored,
                'images': records, 'confusion': confusion.tolist(),
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
            CacheError: Shards store their maps in different ways.
            RuntimeError: A shard is missing.
        """
        shards = [self.metadata(shard) for shard in self.shards()]
        if None in shards:
            raise RuntimeError(f'{self.folder}: {shards.count(None)} shards are missing.')
        if other := next((one['taps'] for one in shards if one['taps'] != shards[0]['taps']), None):
            raise CacheError(
                f'{self.folder}: its shards store maps as {shards[0]["taps"]} and as {other}, '
                'expected one way in all; remove those of one kind, or the folder, and build it '
                'again.'
            )
        index = {key: shards[0][key] for key in ('made_from', 'loader', 'taps')}
        index['images'] = {name: one for each in shards for name, one in each['images'].items()}
        counts = [np.array(each['confusion']) for each in shards]
        # A config of fewer terms that goes on with a cache may know no classes.
        alike = len({count.shape for count in counts}) == 1
        index['confusion'] = (sum(counts) if alike else np.zeros((1, 1), int)).tolist()
        with written_aside(self.folder / INDEX) as aside:
            aside.write_text(json.dumps(index), encoding='utf-8')
        return index

    def size(self) -> int:
        """Bytes of the shards."""
        return sum(self._path(shard).stat().st_size for shard in self.shards())

    def choose_storage(self, max_kl: float, max_error: float) -> dict[str, Choice]:
        """How to store the maps of each tap within an error on some images.

        Args:
            max_kl: Highest mean KL divergence, in nats, of the stored distributions.
            max_error: Highest mean relative error of features.
        """
        numbers = evenly_spaced(len(self.images), SAMPLED)
        numbers = track(numbers, 'images to choose the packing by', transient=True)
        items = [self.images[number] for number in numbers]
        made = [{tap: x[0].cpu() for tap, x in self.maps(item).items()} for item in items]
        chosen = {}
        for tap in self.taps:
            maps = [one[tap] for one in made]
            is_logits = tap in self.logit_taps
            stride = self.stride if is_logits else max(self.stride, _stride_of(items, maps))
            choose, bound = (
                (choose_top, max_kl) if is_logits else (choose_feature_packing, max_error)
            )
            packing, error = choose(maps, bound)
            chosen[tap] = Choice(Storage(len(maps[0]), packing, stride), error, is_logits)
        return chosen

    @torch.no_grad()
    def confusion(self, maps: Mapping[str, Tensor], labels: Tensor) -> np.ndarray:
        """Pixel counts [C, C] of labels [H, W] (rows) and predictions; 0 of unknown classes."""
        of_logits = (t for t in self._targets if self.logit_taps.issuperset(t[0].weights))
        mixture, to_student = next(of_logits, (None, None))
        if mixture is None:
            return np.zeros((1, 1), int)
        logits = two_class_logits(mixture.target(maps))
        if not to_student and logits.shape[1] != len(self._dataset.metainfo['classes']):
            return np.zeros((1, 1), int)
        class_map = ClassMap(**to_student).to(logits.device) if to_student else None
        return count_pixels(logits, labels, class_map)

    def confusion_on_crops(self, count: int) -> np.ndarray:
        """The same counts of a teacher that sees training crops in place of whole images."""
        total = 0
        numbers = evenly_spaced(len(self._dataset), count)
        for number in track(numbers, 'training crops', transient=True):
            sample = self._dataset[ReplayIndex(number, (0, 0, number))]
            maps = self.predict(sample['inputs'][None].to(self.device, torch.float32))
            maps = {tap: x.float() for tap, x in maps.items()}
            total = total + self.confusion(maps, sample['data_samples'].gt_sem_seg.data[0])
        return total


def _packed(name: str, maps: Mapping[str, Tensor], taps: Mapping[str, Storage]) -> dict:
    """The tensors to store of an image's maps, by their key."""
    return {
        stored_key(tap, name, ending): x
        for tap, storage in taps.items()
        for ending, x in pack(maps[tap][0], storage.packing).items()
    }


def _stride_of(items: Sequence[Mapping], maps: Sequence[Tensor]) -> int:
    """The stride of maps [C, h, w], in pixels of their images.

    A map's last cell may lie beyond the image, so that the largest quotient is the nearest.
    """
    return max(
        ceil(side / cells)
        for item, x in zip(items, maps, strict=True)
        for side, cells in zip(item['image'].shape[1:], x.shape[1:], strict=True)
    )


def _taps_of(folder: Path, wanted: set[str]) -> list[str]:
    """The taps that a cache has which is there, if all that are wanted are among them.

    So a config of fewer terms takes the cache of one of more.
    """
    shard = min(folder.glob('shard_*.safetensors'), default=None)
    found = {*_metadata_of(shard)['taps']} if shard else set()
    return sorted(found if found >= wanted else wanted)


def _metadata_of(path: Path) -> JsonObject:
    """The metadata of a shard of this version's format.

    Raises:
        CacheError: It is damaged, or of another format.
    """
    try:
        with safe_open(path, framework='pt') as file:
            content = {key: json.loads(value) for key, value in file.metadata().items()}
        metadata = parsed_object(json.dumps(content), path, REMOVE)
        metadata.check({'made_from': dict})
        check_format(path.parent, metadata['made_from'])
        check_metadata(metadata)
        return metadata
    except (AttributeError, JsonFileError, OSError, SafetensorError, ValueError) as error:
        if isinstance(error, CacheError):
            raise
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
    terms = config.model.get('terms') or {}
    if not all(term.get('teacher') for term in terms.values()) or not terms:
        raise ValueError(
            f'{config.filename}: found the terms {[*terms]}, expected one or more with a teacher.'
        )
    return teacher, dataset
