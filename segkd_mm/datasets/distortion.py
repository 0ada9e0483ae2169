"""mmseg's photometric distortion, computed with look-up tables."""

import cv2
import numpy as np
from mmseg.datasets.transforms import PhotoMetricDistortion
from mmseg.registry import TRANSFORMS

PIXEL_VALUES = np.arange(256)


@TRANSFORMS.register_module()
class TabledPhotoMetricDistortion(PhotoMetricDistortion):
    """``PhotoMetricDistortion`` of uint8 images, bit-identical but faster.

    Values are computed once for each of the 256 pixel values, not for each pixel.
    """

    def convert(self, img: np.ndarray, alpha: float = 1, beta: float = 0) -> np.ndarray:
        """Multiply by ``alpha``, add ``beta``, clip and round down."""
        return cv2.LUT(img, super().convert(PIXEL_VALUES, alpha, beta))

    def saturation(self, img: np.ndarray) -> np.ndarray:
        """Scale the saturation by a random factor, with probability 1/2."""
        if not np.random.randint(2):
            return img
        factor = np.random.uniform(self.saturation_lower, self.saturation_upper)
        return _through_hsv(img, 1, super().convert(PIXEL_VALUES, alpha=factor))

    def hue(self, img: np.ndarray) -> np.ndarray:
        """Shift the hue (0 to 179 in cv2) by a random amount, with probability 1/2."""
        if not np.random.randint(2):
            return img
        shift = np.random.randint(-self.hue_delta, self.hue_delta)
        return _through_hsv(img, 0, ((PIXEL_VALUES + shift) % 180).astype(np.uint8))


def _through_hsv(img: np.ndarray, channel: int, table: np.ndarray) -> np.ndarray:
    hsv = cv2.cvtColor(img, cv2.COLOR_BGR2HSV)
    cv2.insertChannel(cv2.LUT(cv2.extractChannel(hsv, channel), table), hsv, channel)
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR)
