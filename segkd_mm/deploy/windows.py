"""Prediction of large images in overlapping windows, in memory that does not grow with the classes.

mmseg's sliding windows average logits, for which they keep all logits at the size of the image:
7.6 GB for 10,000 x 10,000 pixels and 19 classes. Here a window is predicted like an image of its
own, and each pixel takes its label from the window whose edges are farther from it.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import product

import torch
from mmengine.structures import PixelData
from mmseg.models.segmentors.base import BaseSegmentor
from mmseg.structures import SegDataSample
from torch import Tensor

# Windows start at multiples of it, so that the strides of a model meet the same pixels as in the
# whole image.
ALIGNMENT = 32
Window = tuple[slice, slice]
Track = Callable[[Sequence], Iterable]


@contextmanager
def in_windows(
    model: BaseSegmentor, side: int, overlap: int | None = None, track: Track = iter
) -> Iterator[None]:
    """Inside the block, the model predicts each image in overlapping windows.

    ``test_step`` gives ``pred_sem_seg`` alone, uint8 [1, H, W] (int32 for more than 256 classes).
    Labels at least half the overlap inside their windows are those of the whole image, if the
    model sees no farther. What pools the whole image, such as ASPP, sees the window instead.

    Args:
        model: The segmentor. Its images have to keep their size in the test pipeline.
        side: Height and width of a window in pixels, a multiple of 32.
        overlap: Pixels that neighbours share, a multiple of 32 below ``side``; by default
            :func:`default_overlap`.
        track: Passes the windows of an image on, such as a progress bar.

    Raises:
        ValueError: ``side`` or ``overlap`` is another number; or, at the prediction, an image was
            resized or flipped.
    """
    overlap = default_overlap(side) if overlap is None else overlap
    if not (0 <= overlap < side and side % ALIGNMENT == overlap % ALIGNMENT == 0):
        raise ValueError(
            f'Windows of {side} pixels that overlap by {overlap}: expected multiples of '
            f'{ALIGNMENT}, and an overlap of 0 or more below the window, such as 1024 and 256.'
        )
    model.test_step = partial(_test_step, model, side, overlap, track)
    try:
        yield
    finally:
        del model.test_step


def default_overlap(side: int) -> int:
    """A quarter of the side of a window in pixels, rounded up to a multiple of 32."""
    return -(-side // (4 * ALIGNMENT)) * ALIGNMENT


def axis_windows(length: int, side: int, overlap: int) -> list[Window]:
    """Windows along an axis of ``length`` pixels, each with the part whose labels are kept.

    The parts follow one another without a gap; between two windows they meet in the middle of
    what both see. The last window ends with the axis.
    """
    last = -(-max(length - side, 0) // ALIGNMENT) * ALIGNMENT
    starts = [*range(0, last, side - overlap), last]
    stops = [min(start + side, length) for start in starts]
    middles = [(start + stop) // 2 for start, stop in zip(starts[1:], stops, strict=False)]
    seen, kept = (
        zip(starts, stops, strict=True),
        zip([0, *middles], [*middles, length], strict=True),
    )
    return [(slice(*one), slice(*other)) for one, other in zip(seen, kept, strict=True)]


def _test_step(
    model: BaseSegmentor, side: int, overlap: int, track: Track, data: dict
) -> list[SegDataSample]:
    """``test_step`` of a batch of images, each in windows."""
    for image, sample in zip(data['inputs'], data['data_samples'], strict=True):
        _check_whole(image, sample)
        labels = _label_map(model, image, side, overlap, track)
        sample.set_data({'pred_sem_seg': PixelData(data=labels[None])})
    return data['data_samples']


def _label_map(
    model: BaseSegmentor, image: Tensor, side: int, overlap: int, track: Track
) -> Tensor:
    """The label map [H, W] of an image [C, H, W] as the pipeline gives it, on the CPU."""
    rows, columns = (axis_windows(length, side, overlap) for length in image.shape[1:])
    dtype = torch.uint8 if model.out_channels <= 256 else torch.int32
    labels = torch.empty(image.shape[1:], dtype=dtype)
    for (y, kept_y), (x, kept_x) in track([*product(rows, columns)]):
        kept = _relative(kept_y, y), _relative(kept_x, x)
        labels[kept_y, kept_x] = _predict(model, image[:, y, x])[kept]
    return labels


def _predict(model: BaseSegmentor, window: Tensor) -> Tensor:
    """The label map [h, w] of a window [C, h, w], predicted like a whole image."""
    size = tuple(window.shape[1:])
    sample = SegDataSample(metainfo=dict(ori_shape=size, img_shape=size))
    (result,) = type(model).test_step(model, {'inputs': [window], 'data_samples': [sample]})
    return result.pred_sem_seg.data[0]


def _relative(kept: slice, seen: slice) -> slice:
    """The part that is kept, counted from the start of its window."""
    return slice(kept.start - seen.start, kept.stop - seen.start)


def _check_whole(image: Tensor, sample: SegDataSample) -> None:
    size, original = tuple(image.shape[1:]), tuple(sample.ori_shape[:2])
    if size != original or sample.get('flip'):
        raise ValueError(
            f'{sample.get("img_path", "An image")} has {original[1]} x {original[0]} pixels, but '
            f'its test pipeline gives {size[1]} x {size[0]}, or flips it: windows are cut from '
            'images as they are. Remove Resize and flips from the test pipeline, or load an '
            'exported file with a config that has none.'
        )
