"""The record of a whole image that travels with each training sample to its teacher."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform
from mmseg.datasets.transforms import PackSegInputs
from mmseg.structures import SegDataSample
from torch import Tensor

from segkd_mm.datasets.wrapped import base_datasets
from segkd_mm.whole_image.track import TrackAffine

FIELD = 'whole_image'  # of a SegDataSample


@dataclass(frozen=True)
class WholeImage:
    """The record of the whole image from which a training sample was cropped.

    Attributes:
        size: Height and width of the image as it was loaded.
        affine: From pixel centres (x, y) of the crop to those of the image, float64 [2, 3].
        maps: A teacher's maps of the image by tap, float16 [C, h, w]; None of a live teacher.
        image: The image as it was loaded, [C, H, W]; None of a cached teacher.
        cache: The folder that the maps come from.
    """

    size: tuple[int, int]
    affine: np.ndarray
    maps: dict[str, Tensor] | None = None
    image: Tensor | None = None
    cache: Path | None = None

    def to(self, *args, **kwargs) -> 'WholeImage':
        """The same with its tensors moved, as mmengine's preprocessors do with samples."""
        maps = self.maps and {tap: x.to(*args, **kwargs) for tap, x in self.maps.items()}
        image = self.image if self.image is None else self.image.to(*args, **kwargs)
        return replace(self, maps=maps, image=image)


def whole_image_of(sample: SegDataSample, needs: str) -> WholeImage | None:
    """The record of a sample; None where it has none or lacks what is needed.

    Args:
        sample: A training sample.
        needs: ``'maps'`` or ``'image'``.
    """
    record = sample.get(FIELD)
    return None if record is None or getattr(record, needs) is None else record


def attach_whole_images(dataset: Any, read: Callable[[dict], dict[str, Any]]) -> None:
    """Change the pipelines of a data set so that each sample has a :class:`WholeImage`.

    Every transform is tracked (:class:`segkd_mm.whole_image.track.TrackAffine`).

    Args:
        dataset: A data set, or one that wraps others.
        read: From a sample's results at the end of its pipeline to the fields of the record that it
            fills.

    Raises:
        TypeError: The samples are joined from several, so that they do not lie in one image.
    """
    for base in base_datasets(dataset):
        base.pipeline.transforms = [_tracked(t, read) for t in base.pipeline.transforms]


def _tracked(transform: Callable, read: Callable[[dict], dict[str, Any]]) -> BaseTransform:
    packs = type(transform) is PackSegInputs
    return _PackWithWholeImage(transform, read) if packs else TrackAffine(transform)


class _PackWithWholeImage(BaseTransform):
    """``PackSegInputs``, which also packs the record."""

    def __init__(self, inner: PackSegInputs, read: Callable[[dict], dict[str, Any]]) -> None:
        self.inner = inner
        self.read = read

    def transform(self, results: dict) -> dict:
        packed = self.inner(results)
        size, affine = tuple(results['ori_shape'][:2]), results['crop_to_image']
        record = WholeImage(size, affine, **self.read(results))
        packed['data_samples'].set_data({FIELD: record})
        return packed
