"""mmseg's distortion of colours by look-up tables."""

import cv2
import numpy as np
from mmseg.datasets.transforms import PhotoMetricDistortion
from mmseg.registry import TRANSFORMS

GREYS = np.arange(256)


@TRANSFORMS.register_module()
class TabledPhotoMetricDistortion(PhotoMetricDistortion):
    """``PhotoMetricDistortion`` of uint8 images, to the bit, but faster.

    What becomes of a value is worked out once for each of the 256, not for each pixel.
    """

    def convert(self, img: np.ndarray, alpha: float = 1, beta: float = 0) -> np.ndarray:
        """Multiply by ``alpha``, add ``beta``, clip and round down."""
        return cv2.LUT(img, super().convert(GREYS, alpha, beta))

    def saturation(self, img: np.ndarray) -> np.ndarray:
        """Scale the saturation, or leave it."""
        if not np.random.randint(2):
            return img
        factor = np.random.uniform(self.saturation_lower, self.saturation_upper)
        return _through_hsv(img, 1, super().convert(GREYS, alpha=factor))

    def hue(self, img: np.ndarray) -> np.ndarray:
        """Turn the hue, which cv2 counts from 0 to 179, or leave it."""
        if not np.random.randint(2):
            return img
        turn = np.random.randint(-self.hue_delta, self.hue_delta)
        return _through_hsv(img, 0, ((GREYS + turn) % 180).astype(np.uint8))


def _through_hsv(img: np.ndarray, channel: int, table: np.ndarray) -> np.ndarray:
    hsv = cv2.cvtColor(img, cv2.COLOR_BGR2HSV)
    cv2.insertChannel(cv2.LUT(cv2.extractChannel(hsv, channel), table), hsv, channel)
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR)
