"""Samples that say where their pixels lie in the whole photo, and bring something of it along."""

from collections.abc import Callable
from typing import Any

from mmcv.transforms import BaseTransform
from mmseg.datasets.transforms import PackSegInputs
from torch import Tensor

from segkd_mm.datasets.to_photo import Track
from segkd_mm.datasets.whole_photos import leaves


def follow(dataset: Any, bring: Callable[[dict], dict[str, Tensor]]) -> None:
    """Change a data set's pipelines: each transform is followed, and samples have in addition

    - what ``bring`` makes of their results, by name;
    - ``photo_size``: height and width of the photo as it was loaded;
    - ``to_photo``: where their pixels lie in it (:class:`segkd_mm.datasets.to_photo.Track`).

    Raises:
        TypeError: Its samples are joined from several, so that they do not lie in one photo.
    """
    for leaf in leaves(dataset):
        leaf.pipeline.transforms = [_followed(t, bring) for t in leaf.pipeline.transforms]


def _followed(transform: Callable, bring: Callable[[dict], dict[str, Tensor]]) -> BaseTransform:
    return _Pack(transform, bring) if type(transform) is PackSegInputs else Track(transform)


class _Pack(BaseTransform):
    def __init__(self, inner: PackSegInputs, bring: Callable[[dict], dict[str, Tensor]]) -> None:
        self.inner = inner
        self.bring = bring

    def transform(self, results: dict) -> dict:
        packed = self.inner(results)
        sample = packed['data_samples']
        sample.set_data(self.bring(results))
        sample.set_metainfo(
            {'photo_size': results['ori_shape'][:2], 'to_photo': results['to_photo']}
        )
        return packed
