"""CIRKD's memory: queues of the teacher's pixels and regions by class."""

import torch
import torch.nn.functional as F
from mmengine.dist import all_gather
from mmseg.registry import MODELS
from torch import Tensor, nn

from segkd_mm.losses import functional
from segkd_mm.losses.modules.base import LabelledKDLoss, positive


class ClassQueue(nn.Module):
    """The last ``size`` features of each class, the same in all processes of a distributed run.

    They are buffers, and so in the checkpoint.

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
    def put(self, features: Tensor, present: Tensor) -> None:
        """Add features of all processes; the oldest give way.

        Args:
            features: [E, K, C], of each class up to E.
            present: Which of them there are, [E, K] of bool.
        """
        # One process after the other, in the order that all of them see.
        features = torch.cat(all_gather(features))
        present = torch.cat(all_gather(present.byte())).bool()
        number = present.cumsum(0)
        size = self.features.shape[1]
        entry, kind = (present & (number > number[-1] - size)).nonzero(as_tuple=True)
        place = (self.seen + number - 1) % size
        self.features[kind, place[entry, kind]] = features[entry, kind]
        self.seen += number[-1]

    @torch.no_grad()
    def draw(self, count: int) -> Tensor:
        """Up to ``count`` random features of each class, [M, C]."""
        size = self.features.shape[1]
        filled = torch.arange(size, device=self.seen.device) < self.seen[:, None]
        index, drawn = choose(filled, count)
        return self.features.take_along_dim(index[:, :, None], dim=1)[drawn]


def choose(among: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Choose up to ``count`` of what is ``among`` the last dimension, at random.

    Returns:
        Indices [..., min(count, M)] for [..., M], and which of them were among it.
    """
    scores = torch.rand(among.shape, device=among.device).masked_fill(~among, -1)
    best, index = scores.topk(min(count, among.shape[-1]), dim=-1)
    return index, best >= 0


@MODELS.register_module()
class CIRKDMemoryLoss(LabelledKDLoss):
    """:func:`segkd_mm.losses.functional.memory_affinity` to remembered pixels, and to regions.

    The teacher's features, as unit vectors, go into a queue of pixels and one of regions (the mean
    of a class in an image) for each class, before student and teacher are compared by their
    similarities to keys drawn from them. The queues are in the checkpoint, and the same in all
    processes.

    Source: arXiv 2204.06986 with these defaults, queue sizes for each class. Its queues start as
    noise, here empty; it draws a class's pixels from the whole image (indexing ``feat[:, perm]``
    where ``feat[:, idxs[perm]]`` is meant), here from the class; its projection of the student is
    the term's adapter; all its positions are compared, here averages over ``pool`` x ``pool``.

    Args:
        num_classes: Of the labels.
        channels: Of both features; ``'auto'`` in the config of a term takes the teacher's.
        temperature: τ > 0.
        pixels: Pixels kept of each class: the memory is 4·K·C·(pixels + regions) bytes.
        regions: Regions kept of each class.
        pixel_keys: Pixels to compare with, of all classes together.
        region_keys: Regions to compare with, of all classes together.
        pool: Side of a node in positions.
        kwargs: Of :class:`LabelledKDLoss`.
    """

    pixels_an_image = 16
    """Pixels of each class that an image adds to the memory."""

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
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        positive(self, num_classes=num_classes, temperature=temperature, pool=pool)
        positive(self, pixel_keys=pixel_keys, region_keys=region_keys)
        self.pixels = ClassQueue(num_classes, pixels, channels)
        self.regions = ClassQueue(num_classes, regions, channels)

    def compute(self, student: Tensor, teacher: Tensor, labels: Tensor) -> Tensor:
        with torch.autocast(teacher.device.type, enabled=False):
            self._remember(teacher.float(), labels)
        pixels = self.pixels.draw(self.pixel_keys // self.num_classes + 1)
        regions = self.regions.draw(self.region_keys // self.num_classes + 1)
        how = dict(valid=labels >= 0, temperature=self.temperature, pool=self.pool)
        return sum(
            functional.memory_affinity(student, teacher, keys=k, **how) for k in (pixels, regions)
        )

    @torch.no_grad()
    def _remember(self, teacher: Tensor, labels: Tensor) -> None:
        masks = functional.class_masks(labels, self.num_classes)
        units = F.normalize(teacher, dim=1).flatten(2).mT
        sums = masks.float() @ units
        self.regions.put(F.normalize(sums, dim=2), masks.any(dim=2))
        index, chosen = choose(masks, self.pixels_an_image)
        pixels = units[:, None].take_along_dim(index[..., None], dim=2)
        self.pixels.put(pixels.transpose(1, 2).flatten(0, 1), chosen.transpose(1, 2).flatten(0, 1))
