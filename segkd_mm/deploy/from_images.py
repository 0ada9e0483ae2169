"""The whole way from images to labels: normalised, segmented, labelled; in mmseg's way and fast.

Images are uint8 [N, 3, H, W] in the order of channels that mmcv and OpenCV read, BGR; their labels
int64 [N, H, W].
"""

from collections.abc import Callable, Mapping, Sequence

import torch
import torch.nn.functional as F
from mmseg.models.data_preprocessor import SegDataPreProcessor
from mmseg.models.segmentors.base import BaseSegmentor
from mmseg.structures import SegDataSample
from torch import Tensor, nn

from segkd_mm.deploy.graph import Normalise
from segkd_mm.deploy.label_map import upsampled_label_map
from segkd_mm.deploy.runtime import Runtime


class MMSegLabels(nn.Module):
    """Labels of images as mmseg makes them: all logits upsampled to the image, and their argmax.

    mmseg's ``predict`` resizes the logits once more, to the image's original size; not so here.
    """

    def __init__(self, model: BaseSegmentor) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> Tensor:
        samples = [SegDataSample() for _ in images]
        data = self.model.data_preprocessor(dict(inputs=list(images), data_samples=samples))
        size = data['inputs'].shape[2:]
        logits = self.model(data['inputs'])
        labels = F.interpolate(logits, size, None, 'bilinear', self.model.align_corners).argmax(1)
        return _cut(labels, images)


class FastLabels(nn.Module):
    """Labels of images, the same ones in less time.

    Args:
        segment: Makes logits [N, C, h, w] of what ``normalise`` gives, or labels [N, H, W].
        normalise: Makes its input of images; None where it takes images.
        align_corners: Of the upsampling.
    """

    def __init__(
        self,
        segment: Callable[[Tensor], Tensor],
        normalise: Callable[[Tensor], Tensor] | None,
        align_corners: bool = False,
    ) -> None:
        super().__init__()
        self.segment, self.normalise, self.align_corners = segment, normalise, align_corners

    @classmethod
    def of(cls, model: BaseSegmentor) -> 'FastLabels':
        """Of an mmseg model."""
        return cls(model, NormaliseInPlace.of(model.data_preprocessor), model.align_corners)

    @classmethod
    def of_runtime(cls, runtime: Runtime) -> 'FastLabels':
        """Of an exported model."""
        data = runtime.metadata
        known = (data[key] for key in ('mean', 'std', 'bgr_to_rgb', 'test_cfg'))
        normalise = NormaliseInPlace(*known) if data['input'] == 'normalised' else None
        return cls(runtime, normalise, data['align_corners'])

    def forward(self, images: Tensor) -> Tensor:
        inputs = self.normalise(images) if self.normalise else images
        found = self.segment(inputs)
        if found.dim() == 4:
            found = upsampled_label_map(found, tuple(inputs.shape[2:]), self.align_corners)
        return _cut(found, images)


class NormaliseInPlace(nn.Module):
    """Images as ``SegDataPreProcessor`` normalises them, to the bit, but in place.

    Args:
        mean: Of each channel, in the order of the model.
        std: The same.
        bgr_to_rgb: Whether the model takes RGB.
        test_cfg: The preprocessor's; of a ``size_divisor``, zeros are added below and at the right.
    """

    def __init__(
        self,
        mean: Sequence[float],
        std: Sequence[float],
        bgr_to_rgb: bool,
        test_cfg: Mapping | None = None,
    ) -> None:
        super().__init__()
        self.register_buffer('mean', torch.tensor(mean).view(-1, 1, 1), persistent=False)
        self.register_buffer('std', torch.tensor(std).view(-1, 1, 1), persistent=False)
        self.bgr_to_rgb = bgr_to_rgb
        self.divisor = (test_cfg or {}).get('size_divisor') or 1

    @classmethod
    def of(cls, preprocessor: SegDataPreProcessor) -> 'NormaliseInPlace':
        """That of an mmseg model under test."""
        slow = Normalise(preprocessor)
        mean, std = (values.flatten().tolist() for values in (slow.mean, slow.std))
        return cls(mean, std, slow.swap, preprocessor.test_cfg).to(preprocessor.device)

    def forward(self, images: Tensor) -> Tensor:
        normalised = (images.flip(1) if self.bgr_to_rgb else images).float()
        normalised.sub_(self.mean).div_(self.std)
        below, right = (-side % self.divisor for side in images.shape[2:])
        return F.pad(normalised, (0, right, 0, below)) if below or right else normalised


def _cut(labels: Tensor, images: Tensor) -> Tensor:
    """Labels without those of what was padded below and at the right."""
    height, width = images.shape[2:]
    return labels[:, :height, :width]
