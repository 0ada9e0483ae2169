"""A predictor that counts its label maps and their seconds."""

import os
from time import perf_counter

import numpy as np

from segkd_mm.deploy import Predictor


class TimedPredictor:
    """Label maps of a :class:`segkd_mm.deploy.Predictor`, with the time that they take.

    Attributes:
        classes, palette: Those of the predictor.
    """

    def __init__(self, predictor: Predictor) -> None:
        self.classes, self.palette = predictor.classes, predictor.palette
        self._predictor = predictor
        self._seconds: list[float] = []

    def predict(self, image: str | os.PathLike | np.ndarray) -> np.ndarray:
        """The label map of an image, see :meth:`segkd_mm.deploy.Predictor.predict`."""
        start = perf_counter()
        labels = self._predictor.predict(image)
        self._seconds.append(perf_counter() - start)
        return labels

    def speed(self) -> str:
        """Median time of a label map; the first ones, which allocate memory, barely count."""
        middle = float(np.median(self._seconds or [0]))
        rate = 1 / middle if middle else 0
        return f'{1000 * middle:.1f} ms, {rate:.1f} a second, without drawing'
