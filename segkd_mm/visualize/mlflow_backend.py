"""MLflow as a backend of mmengine's visualizer that can keep pictures."""

import numpy as np
from mmengine.visualization import MLflowVisBackend
from mmseg.registry import VISBACKENDS


@VISBACKENDS.register_module()
class MLflowPicturesBackend(MLflowVisBackend):
    """mmengine's backend gives MLflow pictures without an ending, which it refuses."""

    def add_image(self, name: str, image: np.ndarray, step: int = 0, **kwargs: object) -> None:
        """Keep a picture, RGB uint8 [H, W, 3], as the artefact ``NAME_STEP.png``."""
        super().add_image(f'{name}_{step}.png', image, step, **kwargs)
