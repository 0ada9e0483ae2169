"""Label maps in an exported graph: only classes that can be the label are upsampled."""

import torch
import torch.nn.functional as F
from torch import Tensor


def graph_label_map(logits: Tensor, size: tuple[int, int], align_corners: bool) -> Tensor:
    """Compute the same as :func:`upsampling_and_argmax` of fewer classes.

    The same reason as in :mod:`segkd_mm.deploy.label_map`, in operations that runtimes have: a
    class that lies below another one at all corners of a cell is nowhere the argmax in it. What is
    so in all cells is left out before the upsampling. Of PaddleSeg's way, which keeps the classes
    that are the argmax at a corner somewhere, this differs in that it is exact, apart from classes
    that are equal within the rounding of the interpolation.

    Args:
        logits: [N, C, h, w].
        size: Height and width of the label map.
        align_corners: As of ``F.interpolate``.

    Returns:
        int64 [N, H, W].
    """
    classes = _candidates(logits).nonzero().flatten()
    torch._check(classes.shape[0] >= 1)
    kept = logits.index_select(1, classes)
    return classes[upsampling_and_argmax(kept, size, align_corners)]


def upsampling_and_argmax(logits: Tensor, size: tuple[int, int], align_corners: bool) -> Tensor:
    """Upsample the logits [N, C, h, w] of all classes; the label map [N, H, W], int64."""
    return F.interpolate(logits, size, None, 'bilinear', align_corners).argmax(1)


def _candidates(logits: Tensor) -> Tensor:
    """Whether a class may be the label somewhere: bool [C]."""
    # The padding makes cells of one row or column, too, which changes nothing for larger maps.
    highest = F.max_pool2d(logits, 2, 1, 1)
    lowest = -F.max_pool2d(-logits, 2, 1, 1)
    below = (highest - lowest.amax(1, keepdim=True)).amax((0, 2, 3)) < 0
    # Not a number is not below. The first class is always left, as runtimes may differ in that.
    return ~below | (torch.arange(logits.shape[1], device=logits.device) == 0)
