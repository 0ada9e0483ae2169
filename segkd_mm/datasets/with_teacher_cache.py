"""A data set whose samples bring the logits that a teacher gave for their whole photos."""

import os
from functools import partial

from mmengine.dataset import RepeatDataset
from mmseg.registry import DATASETS
from torch import Tensor

from segkd_mm.datasets.following import follow
from segkd_mm.datasets.whole_photos import WholePhotos
from segkd_mm.teacher_cache import TeacherCache


@DATASETS.register_module()
class WithTeacherCache(RepeatDataset):
    """A data set for a ``CachedTeacher``: each sample has the teacher's logits of its whole photo.

    The pipelines stay as they are, with all their random augmentation; a sample has in addition
    ``teacher_logits``, float16 [C, h, w], of the whole photo as it was loaded, and where it lies in
    that (:func:`segkd_mm.datasets.following.follow`).

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
        follow(self.dataset, partial(_logits, read))


def _logits(cache: TeacherCache, results: dict) -> dict[str, Tensor]:
    return {'teacher_logits': cache.read(results['img_path'], results['ori_shape'][:2])}
