"""Loading of images and masks that keeps them decoded in memory."""

from functools import partial

import numpy as np
from mmcv.transforms import LoadImageFromFile
from mmseg.registry import TRANSFORMS

from segkd_mm.datasets.checked_annotations import LoadCheckedAnnotations
from segkd_mm.datasets.shared_arrays import SharedArrays

# What decides a mask beside its file.
OF_MASK = (
    'seg_map_path', 'img_path', 'ori_shape', 'label_map', 'reduce_zero_label', 'num_classes',
)  # fmt: skip


@TRANSFORMS.register_module()
class LoadCachedImage(LoadImageFromFile):
    """``LoadImageFromFile`` that keeps decoded images in memory, as long as there is room.

    Workers that are forked share what they keep. The file of an image that is kept is not read
    again, also where it has changed.

    Args:
        mebibytes: Most memory that the decoded images take.
        **kwargs: As for ``LoadImageFromFile``.

    Raises:
        ValueError: So much memory cannot be had.
    """

    def __init__(self, mebibytes: float = 1536, **kwargs) -> None:
        super().__init__(**kwargs)
        self._images = SharedArrays(mebibytes)

    def __repr__(self) -> str:
        # It gives the same pixels: a teacher's cache fits both.
        return super().__repr__().replace(type(self).__name__, LoadImageFromFile.__name__, 1)

    def transform(self, results: dict) -> dict | None:
        load = super().transform  # which gives None for a file that is ignored
        image = self._images.get(results['img_path'], lambda: (load(results) or {}).get('img'))
        if image is None:
            return None
        results.update(img=image, img_shape=image.shape[:2], ori_shape=image.shape[:2])
        return results


@TRANSFORMS.register_module()
class LoadCachedAnnotations(LoadCheckedAnnotations):
    """``LoadCheckedAnnotations`` that keeps decoded and checked masks: see LoadCachedImage.

    Args:
        mebibytes: Most memory that the masks take.
        **kwargs: As for ``LoadCheckedAnnotations``.

    Raises:
        ValueError: So much memory cannot be had.
    """

    def __init__(self, mebibytes: float = 512, **kwargs) -> None:
        super().__init__(**kwargs)
        self._masks = SharedArrays(mebibytes)

    def _mask(self, results: dict) -> np.ndarray:
        key = repr([results.get(name) for name in OF_MASK])
        return self._masks.get(key, partial(super()._mask, results))
