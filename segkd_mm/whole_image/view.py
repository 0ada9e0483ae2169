"""View: the sizes and flips at which a live or cached teacher sees a whole image."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import ceil, log

import torch
import torch.nn.functional as F
from torch import Tensor

from segkd_mm.one_logit import two_class_logits


@dataclass(frozen=True)
class View:
    """The sizes and flips at which a teacher sees a whole image; its predictions are averaged.

    Attributes:
        short_side: Pixels of the image's shorter side at scale 1; None for its own size.
        scales: Factors of that size; the teacher sees the image at each of them.
        flip: Show each size mirrored, too.
    """

    short_side: int | None = None
    scales: tuple[float, ...] = (1.0,)
    flip: bool = False

    def logits(self, predict: Callable[[Tensor], Tensor], image: Tensor, stride: int) -> Tensor:
        """A teacher's logits on an image, merged over the view.

        Args:
            predict: From images [N, 3, H, W] to logits [N, C, h, w] which cover them.
            image: [N, 3, H, W].
            stride: See :meth:`merge`.

        Returns:
            [N, C, h, w] of float32, which cover the image.
        """
        maps = [predict(resized) for resized in self.inputs(image)]
        return self.merge(maps, image.shape[2:], stride)

    def maps(
        self,
        predict: Callable[[Tensor], Mapping[str, Tensor]],
        image: Tensor,
        stride: int,
        logits: Collection[str],
    ) -> dict[str, Tensor]:
        """A teacher's maps of an image: logits merged over the view, features as first shown.

        Only probabilities can be averaged, so that features are those of the first size, not
        mirrored.

        Args:
            predict: From images [N, 3, H, W] to maps by tap, [N, C, h, w], which cover them.
            image: [N, 3, H, W].
            stride: See :meth:`merge`.
            logits: The taps of logits; others are of features.

        Returns:
            [N, C, h, w] of float32 by tap, which cover the image.

        Raises:
            ValueError: A tap has no map [N, C, h, w].
        """
        shown = [predict(resized) for resized in self.inputs(image)]
        merged = {}
        for tap, first in shown[0].items():
            if first.ndim != 4:
                raise ValueError(
                    f'Tap {tap!r}: found a tensor {list(first.shape)}, expected a map [N, C, h, w].'
                )
            maps = [one[tap] for one in shown] if tap in logits else [first]
            merged[tap] = self.merge(maps, image.shape[2:], stride)
        return merged

    def inputs(self, image: Tensor) -> Iterator[Tensor]:
        """The teacher's inputs for an image [N, 3, H, W]: each size, then the same mirrored."""
        for scale in self.scales:
            resized = _resize(image, self._size(image.shape[2:], scale))
            yield from (resized, resized.flip(3))[: 1 + self.flip]

    def merge(self, maps: Sequence[Tensor], image_size: tuple[int, int], stride: int) -> Tensor:
        """One map from the maps of all :meth:`inputs`.

        A single map stays as it is, whether of logits or of features. Of several the result is the
        log of the mean probabilities plus the mean of the logsumexps, which keeps it on the scale
        of logits; one logit gives the two of one class against the background.

        Args:
            maps: [N, C, h, w] each, which cover the image, in the order of :meth:`inputs`.
            image_size: Height and width of the image.
            stride: In pixels of the image: finer maps are resized down to it, coarser ones stay.

        Returns:
            [N, C, h, w] of float32, which cover the image.
        """
        maps = [x.float() for x in maps]
        if self.flip:
            maps[1::2] = [x.flip(3) for x in maps[1::2]]
        finest = (max(side) for side in zip(*(x.shape[2:] for x in maps), strict=True))
        cells = (ceil(side / stride) for side in image_size)
        size = tuple(map(min, finest, cells))
        return _mean([_resize(x, size) for x in maps])

    def _size(self, image_size: tuple[int, int], scale: float) -> tuple[int, int]:
        factor = scale * (self.short_side / min(image_size) if self.short_side else 1.0)
        return tuple(max(round(side * factor), 1) for side in image_size)


def _resize(x: Tensor, size: tuple[int, int]) -> Tensor:
    if tuple(x.shape[2:]) == size:
        return x
    return F.interpolate(x, size, mode='bilinear', antialias=True)


def _mean(maps: list[Tensor]) -> Tensor:
    if len(maps) == 1:
        return maps[0]
    stacked = torch.stack([two_class_logits(x) for x in maps])
    scale = stacked.logsumexp(2, keepdim=True)
    return (stacked - scale).logsumexp(0) - log(len(maps)) + scale.mean(0)
