"""Loading of images and masks that keeps them decoded in memory."""

from functools import partial

import numpy as np
from mmcv.transforms import LoadImageFromFile
from mmseg.registry import TRANSFORMS

from segkd_mm.datasets.checked_annotations import LoadCheckedAnnotations
from segkd_mm.datasets.shared_arrays import SharedArrays


@TRANSFORMS.register_module()
class LoadCachedImage(LoadImageFromFile):
    """``LoadImageFromFile`` that reads and decodes an image once, as long as there is room.

    Workers that are forked, as by default, share what they keep. A file that changes during the
    training is not read again.

    Args:
        mebibytes: Most memory that the decoded images take.
        **kwargs: As for ``LoadImageFromFile``.
    """

    def __init__(self, mebibytes: float = 1536, **kwargs) -> None:
        super().__init__(**kwargs)
        self._images = SharedArrays(mebibytes)

    def __repr__(self) -> str:
        # It gives the same pixels: a teacher's cache fits both.
        return super().__repr__().replace(type(self).__name__, LoadImageFromFile.__name__, 1)

    def transform(self, results: dict) -> dict:
        decode = super().transform
        image = self._images.get(results['img_path'], lambda: decode(results)['img'])
        size = image.shape[:2]
        results.update(img=image, img_shape=size, ori_shape=size)
        return results


@TRANSFORMS.register_module()
class LoadCachedAnnotations(LoadCheckedAnnotations):
    """``LoadCheckedAnnotations`` that reads, decodes and checks a mask once: see LoadCachedImage.

    Args:
        mebibytes: Most memory that the decoded masks take.
        **kwargs: As for ``LoadCheckedAnnotations``.
    """

    def __init__(self, mebibytes: float = 512, **kwargs) -> None:
        super().__init__(**kwargs)
        self._masks = SharedArrays(mebibytes)

    def _mask(self, results: dict) -> np.ndarray:
        return self._masks.get(results['seg_map_path'], partial(super()._mask, results))
