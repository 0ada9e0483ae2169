"""What a teacher is shown of a photo: the whole of it, at sizes of its own."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
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

        Of one size as it is; of several the log of the mean probabilities, plus the mean of the
        logsumexps, so that it remains on the scale of logits.

        Args:
            ask: From images [1, 3, H, W] to logits [1, C, h, w] which cover them.
            photo: [1, 3, H, W].
            stride: Of the photo: what is finer is averaged down, what is coarser stays.

        Returns:
            [1, C, h, w] of float32, which cover the photo.
        """
        sizes = [self._size(photo.shape[2:], scale) for scale in self.scales]
        seen = [
            _ask(ask, photo, size, flipped)
            for size, flipped in product(sizes, (False, True)[: 1 + self.flip])
        ]
        finest = (max(side) for side in zip(*(x.shape[2:] for x in seen), strict=True))
        cells = (ceil(side / stride) for side in photo.shape[2:])
        size = tuple(map(min, finest, cells))
        return _mean([_averaged(x, size) for x in seen])

    def _size(self, photo: tuple[int, int], scale: float) -> tuple[int, int]:
        factor = scale * (self.short_side / min(photo) if self.short_side else 1.0)
        return tuple(max(round(side * factor), 1) for side in photo)


def _ask(
    ask: Callable[[Tensor], Tensor], photo: Tensor, size: tuple[int, int], flipped: bool
) -> Tensor:
    image = _resized(photo, size)
    return ask(image.flip(3)).float().flip(3) if flipped else ask(image).float()


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
