"""Random resize, crop and flip in one transform, which resizes only the crop."""

import cv2
import numpy as np
from mmcv.image import rescale_size
from mmcv.transforms import BaseTransform
from mmseg.registry import TRANSFORMS

from segkd_mm.datasets.resized_window import image_window, nearest_indices
from segkd_mm.labels import VOID

TRIES = 10  # as mmseg's RandomCrop
Window = tuple[slice, slice]


@TRANSFORMS.register_module()
class RandomResizeCropFlip(BaseTransform):
    """Fast ``RandomResize`` with fixed aspect ratio, ``RandomCrop`` and ``RandomFlip`` in one.

    It draws the same numbers from ``numpy.random`` as the three transforms: with the same seed it
    gives the same mask, the same image up to a few grey levels at sharp edges, and the same state
    of the generator. An image smaller than the crop stays smaller; the preprocessor pads it.

    It also sets ``results['crop_to_image']``, float64 [2, 3]: the affine map from pixel centres
    (x, y) of the augmented image to those of the loaded one, at which a teacher's map of the whole
    image is sampled. Later transforms that move pixels must update it.

    Args:
        scale: Long and short side, in any order, into which an image is fitted at ratio 1.
        ratio_range: Lowest and highest factor of ``scale``.
        crop_size: Height and width.
        cat_max_ratio: While one class has this share or more of the pixels that are not void,
            another crop is drawn, up to ten times. 1 takes the first.
        prob: Probability of a horizontal flip.
    """

    def __init__(
        self,
        scale: tuple[int, int],
        ratio_range: tuple[float, float],
        crop_size: tuple[int, int],
        cat_max_ratio: float = 1.0,
        prob: float = 0.5,
    ) -> None:
        self.scale = scale
        self.ratio_range = ratio_range
        self.crop_size = crop_size
        self.cat_max_ratio = cat_max_ratio
        self.prob = prob

    def transform(self, results: dict) -> dict:
        height, width = results['img'].shape[:2]
        size = self._draw_size(width, height)
        rows, columns = nearest_indices(height, size[1]), nearest_indices(width, size[0])
        window = self._draw_window(results, rows, columns)
        flip = bool(np.random.random_sample() < self.prob)
        image = image_window(results['img'], size, window)
        results['img'] = cv2.flip(image, 1) if flip else image
        rows, columns = rows[window[0]], columns[window[1]][:: -1 if flip else 1]
        for key in results.get('seg_fields', []):
            results[key] = results[key][rows][:, columns]
        zoom = size[0] / width, size[1] / height
        results.update(
            img_shape=image.shape[:2],
            scale_factor=zoom,
            flip=flip,
            flip_direction='horizontal' if flip else None,
            crop_to_image=results.get('crop_to_image', np.eye(2, 3))
            @ _to_original(zoom, window, flip),
        )
        return results

    def _draw_size(self, width: int, height: int) -> tuple[int, int]:
        ratio = np.random.uniform(*self.ratio_range)
        return rescale_size((width, height), tuple(int(side * ratio) for side in self.scale))

    def _draw_window(self, results: dict, rows: np.ndarray, columns: np.ndarray) -> Window:
        window = draw_window_slices((len(rows), len(columns)), self.crop_size)
        for _ in range(TRIES if self.cat_max_ratio < 1 else 0):
            if not self._too_uniform(results['gt_seg_map'], rows[window[0]], columns[window[1]]):
                break
            window = draw_window_slices((len(rows), len(columns)), self.crop_size)
        return window

    def _too_uniform(self, mask: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> bool:
        # A sixteenth of the pixels is enough in most cases.
        share = _largest_share(mask[rows[::4]][:, columns[::4]])
        if abs(share - self.cat_max_ratio) < 0.05:
            share = _largest_share(mask[rows][:, columns])
        return share >= self.cat_max_ratio


def draw_window_slices(size: tuple[int, int], crop_size: tuple[int, int]) -> Window:
    """A random window (rows, columns) of an image; as much as there is where it is smaller."""
    starts = [np.random.randint(0, max(a - b, 0) + 1) for a, b in zip(size, crop_size, strict=True)]
    return tuple(
        slice(start, min(start + crop, side))
        for start, crop, side in zip(starts, crop_size, size, strict=True)
    )


def _largest_share(mask: np.ndarray) -> float:
    """Share of the most frequent class among pixels that are not void; 1 if all are void."""
    counts = cv2.calcHist([mask], [0], None, [256], [0, 256]).ravel()
    counts[VOID] = 0
    return float(counts.max()) / float(counts.sum()) if counts.any() else 1.0


def _to_original(zoom: tuple[float, float], window: Window, flip: bool) -> np.ndarray:
    """Affine map [3, 3] from pixel centres (x, y, 1) to those of the image before the transform."""
    rows, columns = window
    x = columns.stop - 1 if flip else columns.start
    # The centre of a pixel is half a pixel from its border, before and after resizing.
    return np.array(
        [
            [(-1 if flip else 1) / zoom[0], 0, (x + 0.5) / zoom[0] - 0.5],
            [0, 1 / zoom[1], (rows.start + 0.5) / zoom[1] - 0.5],
            [0, 0, 1],
        ]
    )
