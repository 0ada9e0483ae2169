"""An exported model in the place of the PyTorch one: same data, same metric, same pictures."""

import numpy as np
import torch
from mmseg.registry import MODELS
from mmseg.utils import OptSampleList, SampleList
from torch import Tensor, nn

from segkd_mm.deploy.prediction import keeps_size, set_labels
from segkd_mm.deploy.runtime import load_runtime
from segkd_mm.segmentors.base import ForeignSegmentor


@MODELS.register_module()
class RuntimeSegmentor(ForeignSegmentor):
    """A file from tools/export.py as an mmseg segmentor that predicts.

    Args:
        artefact: The file.
        data_preprocessor: The config's. For an artefact that normalises by itself it only batches.
        threads: As of :func:`segkd_mm.deploy.load_runtime`.

    Raises:
        ValueError: The artefact was made for another normalisation.
    """

    def __init__(self, artefact: str, data_preprocessor: dict, threads: int | None = None) -> None:
        runtime = load_runtime(artefact, threads)
        self.metadata = runtime.metadata
        classes = len(self.metadata['classes'])
        super().__init__(
            nn.Identity(), classes, data_preprocessor, self.metadata['align_corners']
        )
        self.runtime = runtime
'''
