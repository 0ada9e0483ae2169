"""Random brightness and contrast of images of any bands and range of values."""

import numpy as np
from mmcv.transforms import BaseTransform
from mmseg.registry import TRANSFORMS


@TRANSFORMS.register_module()
class DistortBands(BaseTransform):
    """Change the brightness and the contrast of an image, each with probability 1/2.

    It takes the place of ``PhotoMetricDistortion``, which needs three channels of 8 bits. What is
    added is relative to the standard deviation of each band in the image, so that it holds for any
    range of values. All bands are changed alike; values are not clipped.

    Args:
        brightness: Highest shift, in standard deviations.
        contrast: Lowest and highest factor of the distances from the mean.
    """

    def __init__(self, brightness: float = 0.5, contrast: tuple[float, float] = (0.5, 1.5)) -> None:
        self.brightness = brightness
        self.contrast = contrast

    def transform(self, results: dict) -> dict:
        image = results['img'].astype(np.float32, copy=False)
        shift = np.random.uniform(-self.brightness, self.brightness) * np.random.randint(2)
        factor = np.random.uniform(*self.contrast) if np.random.randint(2) else 1.0
        mean, std = image.mean((0, 1)), image.std((0, 1))
        added = mean * (1 - factor) + std * shift
        results['img'] = (image * np.float32(factor) + added).astype(np.float32, copy=False)
        return results
