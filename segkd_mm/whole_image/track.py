"""The affine map from an augmented crop to its image, tracked through mmseg's transforms."""

from collections.abc import Callable
from copy import copy

import cv2
import numpy as np
from mmcv import transforms as mmcv
from mmcv.transforms.utils import cache_random_params
from mmseg.datasets import transforms as mmseg

from segkd_mm.datasets.band_distortion import DistortBands
from segkd_mm.datasets.bands import LoadBands
from segkd_mm.datasets.cached_loading import LoadCachedImage
from segkd_mm.datasets.replay import SeedAugmentation
from segkd_mm.datasets.unlabelled import MarkUnlabelled

IDENTITY = np.eye(2, 3)
LOADERS = mmcv.LoadImageFromFile, LoadCachedImage, LoadBands  # of whole images


class TrackAffine(mmcv.BaseTransform):
    """Wrapper of a transform which also updates ``results['crop_to_image']``.

    That is the affine map, float64 [2, 3], from pixel centres (x, y) of the image as it is now to
    pixel centres of the image as it was loaded. Images and random numbers stay the transform's.

    Args:
        inner: The transform: of ``LOADERS``, ``STEPS`` or ``STATIC``, or one that puts a new array
            into ``crop_to_image`` each time it is called.

    Raises:
        TypeError: At the call, for another transform: it may move pixels, or not.
    """

    def __init__(self, inner: Callable[[dict], dict]) -> None:
        self.inner = inner

    def transform(self, results: dict) -> dict:
        if type(self.inner) in LOADERS:
            return {**self.inner(results), 'crop_to_image': IDENTITY}
        if isinstance(self.inner, STATIC):
            return self.inner(results)
        step = STEPS.get(type(self.inner))
        return self._recorded(results) if step is None else self._tracked(results, step)

    def _tracked(self, results: dict, step: 'Step') -> dict:
        # A copy, on which the context may leave attributes that cannot be pickled.
        inner, size = copy(self.inner), results['img'].shape[:2]
        with cache_random_params(inner):
            results = inner(results)
            results['crop_to_image'] = _after(results['crop_to_image'], step(inner, size, results))
        return results

    def _recorded(self, results: dict) -> dict:
        before = results.get('crop_to_image')
        results = self.inner(results)
        if results.get('crop_to_image') is before:
            known = ', '.join(sorted(kind.__name__ for kind in (*STEPS, *STATIC)))
            raise TypeError(
                f'{type(self.inner).__name__} may move pixels, but does not update '
                "results['crop_to_image'], so that a teacher's map of the whole image cannot be "
                f'cropped alike. Known transforms are: {known}.'
            )
        return results


def _after(crop_to_image: np.ndarray, step: np.ndarray) -> np.ndarray:
    """The map from the new image to the loaded one; a step [2, 3] maps it to the one before."""
    return crop_to_image @ np.vstack([step, [0, 0, 1]])


# A step gives the map from the new image to the one before; the transform gives again what it drew.
Step = Callable[[mmcv.BaseTransform, tuple[int, int], dict], np.ndarray]


def _resize(transform: mmcv.BaseTransform, size: tuple[int, int], results: dict) -> np.ndarray:
    inside = getattr(transform, 'resize', None)  # of those that draw a size for another transform
    if inside is not None and type(inside) not in (mmcv.Resize, mmseg.Resize):
        raise TypeError(
            f'{type(transform).__name__} resizes by {type(inside).__name__}, which may move pixels '
            "in other ways; expected resize_type='Resize'."
        )
    y, x = np.divide(size, results['img'].shape[:2])
    return np.array([[x, 0, (x - 1) / 2], [0, y, (y - 1) / 2]])


def _crop(transform: mmseg.RandomCrop, _size: tuple[int, int], results: dict) -> np.ndarray:
    top, _, left, _ = transform.crop_bbox(results)
    return np.array([[1, 0, left], [0, 1, top]], dtype=float)


def _flip(_transform: mmcv.BaseTransform, size: tuple[int, int], results: dict) -> np.ndarray:
    step = IDENTITY.copy()
    for axis, directions in enumerate([('horizontal', 'diagonal'), ('vertical', 'diagonal')]):
        if results['flip'] and results['flip_direction'] in directions:
            step[axis] = -step[axis]
            step[axis, 2] = size[1 - axis] - 1
    return step


def _rotate(transform: mmseg.RandomRotate, size: tuple[int, int], results: dict) -> np.ndarray:
    """The inverse of what mmcv's ``imrotate`` gives to OpenCV."""
    rotates, degree = transform.generate_degree()
    if not rotates:
        return IDENTITY
    height, width = size
    centre = transform.center or ((width - 1) / 2, (height - 1) / 2)
    matrix = cv2.getRotationMatrix2D(centre, -degree, 1.0)
    if transform.auto_bound:
        cos, sin = np.abs(matrix[0, :2])
        matrix[0, 2] += (height * sin + width * cos - width) / 2
        matrix[1, 2] += (height * cos + width * sin - height) / 2
    return cv2.invertAffineTransform(matrix)


# A subclass of these may move pixels in another way, and so is not known.
STEPS: dict[type, Step] = {
    mmseg.Resize: _resize,
    mmseg.ResizeToMultiple: _resize,
    mmseg.ResizeShortestEdge: _resize,
    mmcv.RandomResize: _resize,
    mmcv.RandomChoiceResize: _resize,
    mmseg.RandomCrop: _crop,
    mmseg.RandomFlip: _flip,
    mmseg.RandomRotate: _rotate,
}
# These leave every pixel in its place, and so do their subclasses.
STATIC = (
    mmcv.Pad,  # on the right and at the bottom
    SeedAugmentation,
    mmcv.LoadAnnotations,
    MarkUnlabelled,
    mmseg.PhotoMetricDistortion,
    DistortBands,
    mmseg.CLAHE,
    mmseg.AdjustGamma,
    mmseg.RGB2Gray,
    mmseg.Rerange,
    mmseg.RandomCutOut,
    mmseg.GenerateEdge,
)
