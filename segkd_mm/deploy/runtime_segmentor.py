"""An exported model as an mmseg segmentor, for testing with mmseg's data and metrics."""

import torch.nn.functional as F
from mmseg.registry import MODELS
from torch import Tensor, nn

from segkd_mm.deploy.runtime import load_runtime
from segkd_mm.normalisation import CHANNELS
from segkd_mm.segmentors.base import ForeignSegmentor

PREPROCESSING = 'mean', 'std', 'bgr_to_rgb', 'test_cfg'


@MODELS.register_module()
class RuntimeSegmentor(ForeignSegmentor):
    """An exported model as an mmseg segmentor for inference.

    Its preprocessor normalises images as the file's metadata say, unless the exported graph does.

    Args:
        file: A file of tools/export.py.
        threads: As of :func:`segkd_mm.deploy.load_runtime`.
    """

    def __init__(self, file: str, threads: int | None = None) -> None:
        runtime = load_runtime(file, threads)
        metadata = runtime.metadata
        preprocessor = {key: metadata[key] for key in PREPROCESSING}
        kind = 'SegDataPreProcessor'
        if metadata['input'] == 'image':
            preprocessor.update(mean=None, std=None, bgr_to_rgb=False)
        elif runtime.channels != CHANNELS:
            preprocessor['bgr_to_rgb'] = False
            kind = 'BandPreProcessor'
        super().__init__(
            nn.Identity(),
            len(metadata['classes']),
            dict(type=kind, **preprocessor),
            metadata['align_corners'],
        )
        self.runtime = runtime

    def dense_logits(self, inputs: Tensor) -> Tensor:
        """Compute logits of images [N, channels, H, W]; labels become one-hot logits."""
        output = self.runtime(inputs).to(inputs.device)
        if self.runtime.metadata['output'] == 'labels':
            return F.one_hot(output, self.num_classes).permute(0, 3, 1, 2).float()
        if output.shape[1] not in (1, self.num_classes):
            raise ValueError(
                f'{self.runtime.path}: found logits of {output.shape[1]} classes, expected '
                f'{self.num_classes} as its metadata say. Export it again.'
            )
        return output
