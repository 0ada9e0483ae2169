"""Upsampling and argmax of low-resolution logits in one, without logits at the image size.

Upsampling all logits and taking the argmax moves C x H x W numbers through memory for H x W labels.
On a CPU three things avoid most of that. First, a class that has a lower logit than another at all
four corners of a cell of the low-resolution grid is nowhere the argmax in that cell, since bilinear
interpolation is a convex combination: few classes remain in an image, in most places one. Second,
columns are upsampled before rows, once for all rows. Third, classes are compared one by one for a
few rows at a time, so that the highest scores and their labels stay in the cache.
"""

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

# Pixels per block: a few times their scores fit in the L2 cache of a core.
BLOCK = 2**15


@torch.no_grad()
def upsampled_label_map(
    logits: Tensor, size: tuple[int, int], align_corners: bool = False
) -> Tensor:
    """Compute ``F.interpolate(logits, size, mode='bilinear').argmax(1)`` fast.

    If two classes are equal within the rounding of the interpolation, either may be the label.
    Half-precision logits are interpolated in float32; ``F.interpolate`` would round the result so
    that classes tie. On devices other than a CPU this is the expression above.

    Args:
        logits: Finite logits [N, C, h, w].
        size: Height and width of the label map, H and W; they may be less than h and w.
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
    """Write the label map [H, W] of logits [C, h, w] into ``labels``."""
    height, width = labels.shape
    candidates = _candidates(logits)
    classes = candidates.any(1).nonzero().flatten()
    size = logits.shape[1], width
    wide_logits = F.interpolate(logits[classes][None], size, None, 'bilinear', align_corners)[0]
    rows = _RowUpsampler(logits.shape[1], height, align_corners, logits.dtype)
    step = max(1, BLOCK // width)
    for start in range(0, height, step):
        block = slice(start, start + step)
        local = candidates[:, rows.cells(block)].any(1)[classes].nonzero().flatten()
        scores = (rows.upsampled(wide_logits[index], block) for index in local.tolist())
        labels[block] = _argmax(scores, classes[local].tolist())


def _candidates(logits: Tensor) -> Tensor:
    """Whether a class may be the argmax in a row of cells: bool [C, max(h - 1, 1)]."""
    lowest = torch.minimum(*_neighbours(torch.minimum(*_neighbours(logits, 2)), 1))
    highest = torch.maximum(*_neighbours(torch.maximum(*_neighbours(logits, 2)), 1))
    return (highest - lowest.amax(0)).amax(2) >= 0


def _neighbours(logits: Tensor, dim: int) -> tuple[Tensor, Tensor]:
    """All but the last and all but the first slice along ``dim``; a single slice twice."""
    length = logits.shape[dim]
    cells = max(length - 1, 1)
    return logits.narrow(dim, 0, cells), logits.narrow(dim, length - cells, cells)


class _RowUpsampler:
    """Bilinear upsampling of h rows to ``height`` rows as in torch, in blocks of rows."""

    def __init__(self, h: int, height: int, align_corners: bool, dtype: torch.dtype) -> None:
        position = torch.arange(height, dtype=dtype)
        if align_corners:
            position *= (h - 1) / max(height - 1, 1)
        else:
            position = ((position + 0.5) * (h / height) - 0.5).clamp(min=0)
        self.upper = position.long().clamp(max=h - 1)
        self.lower = (self.upper + 1).clamp(max=h - 1)
        self.weight = (position - self.upper).clamp(0, 1)[:, None]  # of the lower row
        self.last_cell = max(h - 2, 0)

    def cells(self, block: slice) -> slice:
        """The rows of cells that contain a block of upsampled rows."""
        first, last = self.upper[block][[0, -1]].clamp(max=self.last_cell).tolist()
        return slice(first, last + 1)

    def upsampled(self, logits: Tensor, block: slice) -> Tensor:
        """Upsample a block of rows [rows, W] of logits [h, W]."""
        upper, lower, weight = self.upper[block], self.lower[block], self.weight[block]
        scores = logits.index_select(0, lower).mul_(weight)
        return scores.addcmul_(logits.index_select(0, upper), 1 - weight)


def _argmax(scores: Iterator[Tensor], classes: list[int]) -> Tensor:
    """The class of the highest score, the first if several are equal; classes ascend."""
    best = next(scores)
    # Float labels, as comparisons into bool tensors are slow in torch.
    label = torch.full_like(best, classes[0])
    for number, score in zip(classes[1:], scores, strict=True):
        highest = torch.maximum(best, score)
        torch.maximum(label, best.lt_(score).mul_(number), out=label)
        best = highest
    return label
