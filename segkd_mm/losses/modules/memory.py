"""CIRKD's memory loss, and its queues of teacher pixels and regions by class."""

from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from mmengine.dist import all_gather
from mmseg.registry import MODELS
from torch import Tensor, nn

from segkd_mm.losses import functional
from segkd_mm.losses.modules.base import LabelledKDLoss, set_nodes, set_positive


class ClassQueue(nn.Module):
    """Queue of the last ``size`` features of each class, equal in all processes of a run.

    Its contents are buffers, and so in the checkpoint.

    Args:
        num_classes: K.
        size: Features kept of each class.
        channels: C.
    """

    def __init__(self, num_classes: int, size: int, channels: int) -> None:
        super().__init__()
        self.register_buffer('features', torch.zeros(num_classes, size, channels))
        self.register_buffer('seen', torch.zeros(num_classes, dtype=torch.long))

    @torch.no_grad()
    def enqueue(self, features: Tensor, present: Tensor) -> None:
        """Add the features of all processes in place of the oldest.

        Args:
            features: [E, K, C], of each class up to E.
            present: Mask of the features to add, [E, K] of bool.
        """
        # Gathered in the order of the processes, which is the same in all of them.
        features = torch.cat(all_gather(features))
        present = torch.cat(all_gather(present.byte())).bool()
        number = present.cumsum(0)
        size = self.features.shape[1]
        entry, kind = (present & (number > number[-1] - size)).nonzero(as_tuple=True)
        place = (self.seen + number - 1) % size
        self.features[kind, place[entry, kind]] = features[entry, kind]
        self.seen += number[-1]

    @torch.no_grad()
    def sample(self, count: int) -> Tensor:
        """Up to ``count`` random features of each class, [M, C]."""
        size = self.features.shape[1]
        filled = torch.arange(size, device=self.seen.device) < self.seen[:, None]
        index, sampled = sample_mask(filled, count)
        return self.features.take_along_dim(index[:, :, None], dim=1)[sampled]


def sample_mask(mask: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Random indices of up to ``count`` True elements along the last dimension of a mask.

    Returns:
        Indices [..., min(count, M)] for [..., M], and a mask of those whose element is True.
    """
    scores = torch.rand(mask.shape, device=mask.device).masked_fill(~mask, -1)
    best, index = scores.topk(min(count, mask.shape[-1]), dim=-1)
    return index, best >= 0


@MODELS.register_module()
class CIRKDMemoryLoss(LabelledKDLoss):
    """:func:`segkd_mm.losses.functional.memory_affinity` to queued pixels, and to regions: CIRKD.

    The teacher's features, as unit vectors, go into a queue of pixels and one of regions (the mean
    of a class in an image) for each class, before student and teacher are compared by their
    similarities to keys sampled from them. The queues are in the checkpoint, and the same in all
    processes.

    Source: arXiv 2204.06986 with these defaults, queue sizes for each class. Its queues start as
    noise, here empty; it draws a class's pixels from the whole image (indexing ``feat[:, perm]``
    where ``feat[:, idxs[perm]]`` is meant), here from the class; its projection of the student is
    the term's adapter; it compares all positions: ``pool=1, max_nodes=None``.

    Args:
        num_classes: Of the labels.
        channels: Of both features; ``'auto'`` in the config of a term takes the teacher's.
        temperature: τ > 0.
        pixels: Pixels kept of each class: the queues take 4·K·C·(pixels + regions) bytes.
        regions: Regions kept of each class.
        pixel_keys: Pixels to compare with, of all classes together.
        region_keys: Regions to compare with, of all classes together.
        pool: Side of a node in positions.
        max_nodes: Larger windows than ``pool`` are taken for at most so many nodes an image.
        **kwargs: Of :class:`LabelledKDLoss`.
    """

    pixels_per_image = 16
    """Pixels of each class that an image adds to the queue, as in the authors' code."""

    def __init__(
        self,
        num_classes: int,
        channels: int,
        temperature: float = 0.1,
        pixels: int = 20000,
        regions: int = 2000,
        pixel_keys: int = 4096,
        region_keys: int = 1024,
        pool: int = 2,
        max_nodes: int | None = 256,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        set_positive(self, num_classes=num_classes, temperature=temperature)
        set_positive(self, pixel_keys=pixel_keys, region_keys=region_keys)
        set_nodes(self, pool, max_nodes)
        self.pixels = ClassQueue(num_classes, pixels, channels)
        self.regions = ClassQueue(num_classes, regions, channels)

    def compute(self, student: Tensor, teacher: Tensor, labels: Tensor) -> Tensor:
        with torch.autocast(teacher.device.type, enabled=False):
            self._enqueue(teacher.float(), labels)
        pixels = self.pixels.sample(self.pixel_keys // self.num_classes + 1)
        regions = self.regions.sample(self.region_keys // self.num_classes + 1)
        affinity = partial(
            functional.memory_affinity,
            valid=labels >= 0,
            temperature=self.temperature,
            pool=self.pool,
            max_nodes=self.max_nodes,
        )
        return affinity(student, teacher, keys=pixels) + affinity(student, teacher, keys=regions)

    @torch.no_grad()
    def _enqueue(self, teacher: Tensor, labels: Tensor) -> None:
        # An infinite value at void would make NaN of all means below.
        teacher = torch.where(labels[:, None] >= 0, teacher, 0)
        masks = functional.class_masks(labels, self.num_classes)
        units = F.normalize(teacher, dim=1).flatten(2).mT
        sums = masks.float() @ units
        self.regions.enqueue(F.normalize(sums, dim=2), masks.any(dim=2))
        index, sampled = sample_mask(masks, self.pixels_per_image)
        pixels = units[:, None].take_along_dim(index[..., None], dim=2)
        self.pixels.enqueue(
            pixels.transpose(1, 2).flatten(0, 1), sampled.transpose(1, 2).flatten(0, 1)
        )
