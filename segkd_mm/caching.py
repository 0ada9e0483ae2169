"""Making a teacher cache: a teacher looks once at the whole of each training photo."""

import json
from collections.abc import Iterator, Sequence
from functools import cached_property
from inspect import signature
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmseg.registry import DATASETS
from rich.progress import track
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.utils.data import DataLoader, Subset

from segkd_mm.datasets import ReplayIndex, WholePhotos
from segkd_mm.distill.cached_teacher import CachedTeacher, made_from
from segkd_mm.distill.class_map import ClassMap
from segkd_mm.distill.teacher import Teacher
from segkd_mm.distill.view import View
from segkd_mm.labels import UNLABELLED, VOID
from segkd_mm.report.class_iou import ClassIoUMetric
from segkd_mm.report.files import written_aside
from segkd_mm.teacher_cache import IDS, INDEX, TOP, check_same, is_same, names_of, stamp, unpack

SHARD = 64  # photos
MEASURED = 16  # photos on which the error of packing is measured
HIGHEST = 6e4  # that float16 holds


class CacheMaker:
    """The cache that a config wants, and the way there.

    Args:
        config: A distillation with a ``CachedTeacher``, whose training data are a
            ``WithTeacherCache`` of the same cache.
        device: Where the teacher runs.

    Attributes:
        folder: Where the cache is.
        photos: What the teacher is shown.
        made_from: What the cache is bound to.

    Raises:
        ValueError: It is another kind of config, or does not say which logits to keep.
        WeightsError: The teacher's weights cannot be had or do not fit.
    """

    def __init__(self, config: Config, device: str = 'cpu') -> None:
        init_default_scope(config.get('default_scope', 'mmseg'))
        given, dataset = _parts(config)
        self.folder = Path(given['cache'])
        self.view, self.stride = View(**given['view'] or {}), given['stride']
        self.tap, self._classes = _tap(config.model.terms)
        self._teacher, self.device = given['teacher'], torch.device(device)
        self.made_from = made_from(given['view'], self.stride, self._teacher, self.tap)
        self._dataset = DATASETS.build(dataset.dataset)
        self.photos = WholePhotos(self._dataset)
        self._names = names_of(self.photos.paths)

    @cached_property
    def teacher(self) -> Teacher:
        """The teacher, which takes photos in the raw."""
        teacher = Teacher(**self._teacher)
        # A module without a normalisation stands for pixels as they are loaded.
        teacher.watch({self.tap}, inputs_from=nn.Identity())
        return teacher.to(self.device)

    def ask(self, images: Tensor) -> Tensor:
        """Its logits on images [N, 3, H, W], pixels as they are loaded."""
        return self.teacher(images)[self.tap]

    def logits(self, photo: Tensor) -> Tensor:
        """What is to be kept of a photo, uint8 [3, H, W]: [1, C, h, w] of float32."""
        photo = photo[None].to(self.device, torch.float32)
        return self.view.logits(self.ask, photo, self.stride)

    def shards(self) -> list[range]:
        """Numbers of the photos in each shard."""
        count = len(self.photos)
        return [range(start, min(start + SHARD, count)) for start in range(0, count, SHARD)]

    def whole(self, shard: range) -> dict | None:
        """What a shard says of itself, where it is there and its photos are as they were.

        Raises:
            CacheError: The folder holds the cache of something else.
        """
        path = self._path(shard)
        if not path.is_file():
            return None
        with safe_open(path, framework='pt') as file:
            said = {key: json.loads(value) for key, value in file.metadata().items()}
        check_same(self.folder, said['made_from'], self.made_from)
        check_same(self.folder, {'loader': said['loader']}, {'loader': self.photos.loader})
        paths = [self.photos.paths[number] for number in shard]
        stamped = said['photos']
        same = list(stamped) == [self._names[path] for path in paths]
        same = same and all(is_same(path, stamped[self._names[path]]) for path in paths)
        return said if same else None

    def make(self, shards: Sequence[range], top: int | None, workers: int = 0) -> Iterator[dict]:
        """Make shards, each of which is there when its photos are through; gives out each photo.

        Args:
            shards: Of :meth:`shards`.
            top: See :func:`pack`.
            workers: Processes that read photos.
        """
        # The index speaks of the shards as they were.
        (self.folder / INDEX).unlink(missing_ok=True)
        numbers = [number for shard in shards for number in shard]
        loader = iter(
            DataLoader(Subset(self.photos, numbers), batch_size=None, num_workers=workers)
        )
        for shard in shards:
            tensors, said, confusion = {}, {}, 0
            for item in (next(loader) for _ in shard):
                name, logits = self._names[item['path']], self.logits(item['photo'])
                tensors |= {name + end: x for end, x in pack(logits[0], top).items()}
                said[name] = {**stamp(item['path']), 'size': [*item['photo'].shape[1:]],
                              'shard': self._path(shard).name}  # fmt: skip
                confusion = confusion + self.confusion(logits, item['labels'])
                yield said[name]
            self._write(shard, tensors, {
                'made_from': self.made_from, 'loader': self.photos.loader, 'top': top,
                'channels': logits.shape[1], 'photos': said, 'confusion': confusion.tolist(),
            })  # fmt: skip

    def _write(self, shard: range, tensors: dict[str, Tensor], said: dict) -> None:
        metadata = {key: json.dumps(value) for key, value in said.items()}
        with written_aside(self._path(shard)) as aside:
            save_file(tensors, aside, metadata)

    def _path(self, shard: range) -> Path:
        return self.folder / f'shard_{shard.start // SHARD:05d}.safetensors'

    def finish(self) -> dict:
        """Write the index over the shards, without which there is no cache; gives it out.

        Raises:
            RuntimeError: A shard is missing.
        """
        said = [self.whole(shard) for shard in self.shards()]
        if None in said:
            raise RuntimeError(f'{self.folder}: {said.count(None)} shards are missing.')
        index = {key: said[0][key] for key in ('made_from', 'loader', 'top', 'channels')}
        index['photos'] = {name: one for each in said for name, one in each['photos'].items()}
        index['confusion'] = np.sum([each['confusion'] for each in said], 0).tolist()
        with written_aside(self.folder / INDEX) as aside:
            aside.write_text(json.dumps(index), encoding='utf-8')
        return index

    def size(self) -> int:
        """Bytes of the shards."""
        return sum(self._path(shard).stat().st_size for shard in self.shards())

    def measure(self, max_kl: float) -> tuple[int | None, float]:
        """The smallest way to pack some photos within an error, as ``top``, and its error.

        Args:
            max_kl: Highest mean KL divergence, in nats, of what is stored from what was said.
        """
        step = max(len(self.photos) // MEASURED, 1)
        numbers = range(0, len(self.photos), step)[:MEASURED]
        numbers = track(numbers, 'photos to choose by', transient=True)
        return choose([self.logits(self.photos[n]['photo'])[0].cpu() for n in numbers], max_kl)

    @torch.no_grad()
    def confusion(self, logits: Tensor, labels: Tensor) -> np.ndarray:
        """Pixel counts [C, C] of labels [H, W] (rows) and predictions; 0 of unknown classes."""
        if self._classes is None and logits.shape[1] != len(self._dataset.metainfo['classes']):
            return np.zeros((1, 1), int)
        classes = ClassMap(**self._classes).to(logits.device) if self._classes else None
        return count_pixels(logits, labels, classes)

    def on_crops(self, count: int) -> np.ndarray:
        """The same counts of what the teacher says when it is shown training crops alone."""
        step, total = max(len(self._dataset) // count, 1), 0
        numbers = range(0, len(self._dataset), step)[:count]
        for number in track(numbers, 'training crops', transient=True):
            sample = self._dataset[ReplayIndex(number, (0, 0, number))]
            logits = self.ask(sample['inputs'][None].to(self.device, torch.float32)).float()
            total = total + self.confusion(logits, sample['data_samples'].gt_sem_seg.data[0])
        return total


def count_pixels(logits: Tensor, labels: Tensor, classes: ClassMap | None) -> np.ndarray:
    """Pixel counts [C, C] of labels [H, W] (rows) and of what a teacher predicts (columns).

    Args:
        logits: Of one photo, [1, C, h, w], which cover it.
        labels: The student's class ids.
        classes: From the teacher's classes and the student's to those that both know.
    """
    labels = labels[None].to(logits.device)
    labels = labels.masked_fill(labels == UNLABELLED, VOID)
    if classes:
        student = logits.new_zeros(1, classes.student_channels, 1, 1)
        _, logits, labels = classes(student, logits, labels)
    predicted = F.interpolate(logits, labels.shape[1:], mode='bilinear').argmax(1)
    counts = ClassIoUMetric.intersect_and_union(predicted, labels, logits.shape[1], VOID)
    return counts.numpy()


def _parts(config: Config) -> tuple[dict, dict]:
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
    given = {key: value for key, value in teacher.items() if key != 'type'}
    bound = signature(CachedTeacher).bind(**given)
    bound.apply_defaults()
    return bound.arguments, dataset


def _tap(terms: dict) -> tuple[str, dict | None]:
    """The one tap of the teacher that all terms learn from, and their mapping of classes."""
    taps = {str(term['teacher']) for term in terms.values()}
    if len(taps) != 1 or not all(isinstance(term['teacher'], str) for term in terms.values()):
        raise ValueError(
            f'The terms learn from the taps {sorted(taps)}, expected one, of logits: that is what '
            "a cache holds. For features run the teacher in training (type='Teacher')."
        )
    return taps.pop(), next(iter(terms.values())).get('classes')


def pack(logits: Tensor, top: int | None) -> dict[str, Tensor]:
    """What is stored of logits [C, h, w], by the ending of its key.

    Args:
        logits: As the teacher said them.
        top: The number of largest logits to keep beside the logsumexp of the others; None for all,
            in float16.
    """
    logits = logits.clamp(-HIGHEST, HIGHEST).cpu()
    if top is None:
        return {'': logits.half().contiguous()}
    values, ids = logits.topk(top, 0)
    rest = logits.scatter(0, ids, -torch.inf).logsumexp(0, keepdim=True)
    ids = ids.to(torch.uint8 if len(logits) <= 256 else torch.int16)
    return {TOP: torch.cat([values, rest]).half(), IDS: ids.contiguous()}


def choose(maps: Sequence[Tensor], max_kl: float) -> tuple[int | None, float]:
    """The smallest ``top`` for :func:`pack` within ``max_kl``, None where it saves nothing."""
    channels = len(maps[0])
    id_bytes = 1 if channels <= 256 else 2
    # Two bytes for each value and for the rest; all values take two bytes a channel.
    for top in range(1, channels):
        if top * (2 + id_bytes) + 2 >= 2 * channels:
            break
        error = _error(maps, top)
        if error <= max_kl:
            return top, error
    return None, _error(maps, None)


def _error(maps: Sequence[Tensor], top: int | None) -> float:
    """Mean KL divergence, in nats, of the stored distributions from those that were said."""
    errors = []
    for said in maps:
        packed = pack(said, top)
        kept = packed[''] if top is None else unpack(packed[TOP], packed[IDS], len(said))
        p, q = (x.cpu().double().log_softmax(0) for x in (said, kept))
        errors.append((p.exp() * (p - q)).sum(0).flatten())
    return torch.cat(errors).mean().item()
