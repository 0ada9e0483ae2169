"""Label maps straight from low-resolution logits, without logits at the size of the image.

Upsampling and argmax pass C x H x W numbers through memory to keep H x W of them. On a CPU three
things save most of that. A class that another one exceeds at all four corners of a cell of the
low-resolution grid wins nowhere in the cell, since bilinear interpolation is a convex combination;
in an image few classes are left, in most places one. Columns are upsampled before rows, as torch
does, but once and not for every row. And class by class only the highest score so far and its label
are kept, for so few rows at a time that they stay in the cache.
"""

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

# Pixels that are worked on at once: their scores, a few times over, fit in a core's L2 cache.
BLOCK = 2**15


@torch.no_grad()
def upsampled_label_map(
    logits: Tensor, size: tuple[int, int], align_corners: bool = False
) -> Tensor:
    """The best class of each pixel: ``F.interpolate(logits, size, mode='bilinear').argmax(1)``.

    Where two classes are equal within the rounding of the interpolation, either may be the label.
    Logits of half precision are interpolated in float32; ``F.interpolate`` would round the result,
    so that classes tie. On other devices than a CPU the two steps run as they are.

    Args:
        logits: Finite, [N, C, h, w].
        size: Height and width of the labels, H and W; they may be less than h and w.
        align_corners: As of ``F.interpolate``.

    Returns:
        int64 [N, H, W].
    """
    logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
    if logits.device.type != 'cpu':
        return F.interpolate(logits, size, None, 'bilinear', align_corners).argmax(1)
    labels = torch.empty(len(logits), *size, dtype=torch.int64)
    for image, out in zip(logits, labels, strict=True):
        _fill(out, image, align_corners)
    return labels


def _fill(labels: Tensor, logits: Tensor, align_corners: bool) -> None:
    """Write the labels [H, W] of logits [C, h, w]."""
    height, width = labels.shape
    candidates = _candidates(logits)
    classes = candidates.any(1).nonzero().flatten()
    size = logits.shape[1], width
    wide = F.interpolate(logits[classes][None], size, None, 'bilinear', align_corners)[0]
    rows = _Rows(logits.shape[1], height, align_corners, logits.dtype)
    step = max(1, BLOCK // width)
    for start in range(0, height, step):
        block = slice(start, start + step)
        here = candidates[:, rows.cells(block)].any(1)[classes].nonzero().flatten()
        scores = (rows.upsampled(wide[number], block) for number in here.tolist())
        labels[block] = _argmax(scores, classes[here].tolist())


def _candidates(logits: Tensor) -> Tensor:
    """Which class [C] may win in which row of cells [max(h - 1, 1)] of logits [C, h, w]; bool."""
    lowest = torch.minimum(*_neighbours(torch.minimum(*_neighbours(logits, 2)), 1))
    highest = torch.maximum(*_neighbours(torch.maximum(*_neighbours(logits, 2)), 1))
    return (highest - lowest.amax(0)).amax(2) >= 0


def _neighbours(logits: Tensor, dim: int) -> tuple[Tensor, Tensor]:
    """All but the last along ``dim``, and all but the first; of one, that one twice."""
    length = logits.shape[dim]
    cells = max(length - 1, 1)
    return logits.narrow(dim, 0, cells), logits.narrow(dim, length - cells, cells)


class _Rows:
    """Bilinear upsampling of h rows to ``height``, as torch does it, some of them at a time."""

    def __init__(self, h: int, height: int, align_corners: bool, dtype: torch.dtype) -> None:
        at = torch.arange(height, dtype=dtype)
        if align_corners:
            at *= (h - 1) / max(height - 1, 1)
        else:
            at = ((at + 0.5) * (h / height) - 0.5).clamp(min=0)
        self.upper = at.long().clamp(max=h - 1)
        self.lower = (self.upper + 1).clamp(max=h - 1)
        self.weight = (at - self.upper).clamp(0, 1)[:, None]  # of the lower one
        self.last_cell = max(h - 2, 0)

    def cells(self, block: slice) -> slice:
        """The rows of cells that a block of upsampled rows lies in."""
        first, last = self.upper[block][[0, -1]].clamp(max=self.last_cell).tolist()
        return slice(first, last + 1)

    def upsampled(self, logits: Tensor, block: slice) -> Tensor:
        """A block of the upsampled rows [rows, W] of logits [h, W]."""
        upper, lower, weight = self.upper[block], self.lower[block], self.weight[block]
        scores = logits.index_select(0, lower).mul_(weight)
        return scores.addcmul_(logits.index_select(0, upper), 1 - weight)


def _argmax(scores: Iterator[Tensor], classes: list[int]) -> Tensor:
    """The class of the highest score, the first of equal ones; of ascending classes."""
    best = next(scores)
    # Floats, as comparing into bools is slow in torch.
    label = torch.full_like(best, classes[0])
    for number, score in zip(classes[1:], scores, strict=True):
        highest = torch.maximum(best, score)
        torch.maximum(label, best.lt_(score).mul_(number), out=label)
        best = highest
    return label
