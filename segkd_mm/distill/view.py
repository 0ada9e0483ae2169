"""What a teacher is shown of a photo: the whole of it, at sizes of its own."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import ceil, log

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True)
class View:
    """The whole photo in one or several sizes, whose predictions are averaged.

    Attributes:
        short_side: Pixels of its shorter side at scale 1; None for the photo's own size.
        scales: Factors of that size, each of which is shown.
        flip: Show each mirrored, too.
    """

    short_side: int | None = None
    scales: tuple[float, ...] = (1.0,)
    flip: bool = False

    def logits(self, ask: Callable[[Tensor], Tensor], photo: Tensor, stride: int) -> Tensor:
        """What a teacher says to a photo.

        Args:
            ask: From images [N, 3, H, W] to logits [N, C, h, w] which cover them.
            photo: [N, 3, H, W].
            stride: See :meth:`join`.

        Returns:
            [N, C, h, w] of float32, which cover the photo.
        """
        return self.join([ask(image) for image in self.images(photo)], photo.shape[2:], stride)

    def images(self, photo: Tensor) -> Iterator[Tensor]:
        """What is shown of a photo [N, 3, H, W]: each size, and after it the same mirrored."""
        for scale in self.scales:
            image = _resized(photo, self._size(photo.shape[2:], scale))
            yield from (image, image.flip(3))[: 1 + self.flip]

    def join(self, said: Sequence[Tensor], photo: tuple[int, int], stride: int) -> Tensor:
        """One map from those of all :meth:`images`.

        Of one image as it is, be it of logits or not; of several the log of the mean probabilities,
        plus the mean of the logsumexps, so that it remains on the scale of logits.

        Args:
            said: [N, C, h, w] each, which cover the photo, in the order of the images.
            photo: Its height and width.
            stride: Of the photo: what is finer is averaged down, what is coarser stays.

        Returns:
            [N, C, h, w] of float32, which cover the photo.
        """
        maps = [x.float() for x in said]
        if self.flip:
            maps[1::2] = [x.flip(3) for x in maps[1::2]]
        finest = (max(side) for side in zip(*(x.shape[2:] for x in maps), strict=True))
        cells = (ceil(side / stride) for side in photo)
        size = tuple(map(min, finest, cells))
        return _mean([_averaged(x, size) for x in maps])

    def _size(self, photo: tuple[int, int], scale: float) -> tuple[int, int]:
        factor = scale * (self.short_side / min(photo) if self.short_side else 1.0)
        return tuple(max(round(side * factor), 1) for side in photo)


def _resized(x: Tensor, size: tuple[int, int]) -> Tensor:
    if tuple(x.shape[2:]) == size:
        return x
    return F.interpolate(x, size, mode='bilinear', antialias=True)


def _averaged(x: Tensor, size: tuple[int, int]) -> Tensor:
    """The mean over each new cell; a coarser map is interpolated between its cells."""
    if tuple(x.shape[2:]) == size or any(map(int.__lt__, x.shape[2:], size)):
        return _resized(x, size)
    rows, columns = map(_overlaps, x.shape[2:], size)
    return rows.to(x) @ x @ columns.to(x).T


def _overlaps(old: int, new: int) -> Tensor:
    """The part [new, old] of each new cell that lies in each old one, of the same length."""
    edges = torch.arange(old + 1, dtype=torch.float64) * (new / old)
    cells = torch.arange(new)[:, None]
    return (edges[1:].minimum(cells + 1) - edges[:-1].maximum(cells)).clamp(min=0)


def _mean(maps: list[Tensor]) -> Tensor:
    if len(maps) == 1:
        return maps[0]
    stacked = torch.stack(maps)
    scale = stacked.logsumexp(2, keepdim=True)
    return (stacked - scale).logsumexp(0) - log(len(maps)) + scale.mean(0)
