"""A data set whose samples bring the logits that a teacher gave for their whole photos."""

import os
from collections.abc import Callable

from mmcv.transforms import BaseTransform
from mmengine.dataset import RepeatDataset
from mmseg.datasets.transforms import PackSegInputs
from mmseg.registry import DATASETS

from segkd_mm.datasets.to_photo import Track
from segkd_mm.datasets.whole_photos import WholePhotos, leaves
from segkd_mm.teacher_cache import TeacherCache


@DATASETS.register_module()
class WithTeacherCache(RepeatDataset):
    """A data set for a ``CachedTeacher``: each sample has the teacher's logits of its whole photo.

    The pipelines stay as they are, with all their random augmentation; a sample has in addition

    - ``teacher_logits``, float16 [C, h, w]: of the whole photo as it was loaded;
    - ``photo_size``: height and width of that;
    - ``to_photo``: where its pixels lie in it (:class:`segkd_mm.datasets.to_photo.Track`).

    Args:
        dataset: Config of the data set, also of one that wraps others.
        cache: Folder that ``tools/cache_teacher.py`` filled.

    Raises:
        CacheError: There is no cache, or it is of other photos than the data set's.
        TypeError: A pipeline moves pixels in a way that is not known.
    """

    def __init__(self, dataset: dict, cache: str | os.PathLike) -> None:
        super().__init__(dataset, times=1)
        read = TeacherCache(cache)
        photos = WholePhotos(self.dataset)
        read.check_photos(photos.paths, photos.loader)
        for leaf in leaves(self.dataset):
            leaf.pipeline.transforms = [_followed(t, read) for t in leaf.pipeline.transforms]


def _followed(transform: Callable, cache: TeacherCache) -> BaseTransform:
    return _Pack(transform, cache) if type(transform) is PackSegInputs else Track(transform)


class _Pack(BaseTransform):
    def __init__(self, inner: PackSegInputs, cache: TeacherCache) -> None:
        self.inner = inner
        self.cache = cache

    def transform(self, results: dict) -> dict:
        packed, size = self.inner(results), results['ori_shape'][:2]
        sample = packed['data_samples']
        sample.teacher_logits = self.cache.read(results['img_path'], size)
        sample.set_metainfo({'photo_size': size, 'to_photo': results['to_photo']})
        return packed
