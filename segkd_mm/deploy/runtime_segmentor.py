"""An exported model in the place of the PyTorch one: same data, same metric, same pictures."""

import torch.nn.functional as F
from mmseg.registry import MODELS
from torch import Tensor, nn

from segkd_mm.deploy.runtime import load_runtime
from segkd_mm.segmentors.base import ForeignSegmentor

PREPROCESSING = 'mean', 'std', 'bgr_to_rgb', 'test_cfg'


@MODELS.register_module()
class RuntimeSegmentor(ForeignSegmentor):
    """A file from tools/export.py as an mmseg segmentor that predicts.

    Its preprocessor normalises as the file's metadata say, where the file does not do so itself.

    Args:
        artefact: The file.
        threads: As of :func:`segkd_mm.deploy.load_runtime`.
    """

    def __init__(self, artefact: str, threads: int | None = None) -> None:
        runtime = load_runtime(artefact, threads)
        metadata = runtime.metadata
        preprocessor = {key: metadata[key] for key in PREPROCESSING}
        if metadata['input'] == 'image':
            preprocessor.update(mean=None, std=None, bgr_to_rgb=False)
        super().__init__(
            nn.Identity(),
            len(metadata['classes']),
            dict(type='SegDataPreProcessor', **preprocessor),
            metadata['align_corners'],
        )
        self.runtime = runtime

    def dense_logits(self, inputs: Tensor) -> Tensor:
        """Logits of images [N, 3, H, W]; labels become logits of 0 and 1 at the images' size."""
        found = self.runtime(inputs).to(inputs.device)
        if self.runtime.metadata['output'] == 'labels':
            return F.one_hot(found, self.num_classes).permute(0, 3, 1, 2).float()
        return found
