"""From an image to its label map, in two versions: mmseg's and a fast one.

Images are [N, C, H, W] as they are loaded: uint8, BGR as mmcv and OpenCV read them, or the bands of
``LoadBands``. Label maps are int64 [N, H, W].
"""

from collections.abc import Callable, Mapping, Sequence

import torch
import torch.nn.functional as F
from mmseg.models.data_preprocessor import SegDataPreProcessor
from mmseg.models.segmentors.base import BaseSegmentor
from mmseg.structures import SegDataSample
from torch import Tensor, nn

from segkd_mm.deploy.label_map import upsampled_label_map
from segkd_mm.deploy.runtime import Runtime
from segkd_mm.normalisation import CHANNELS, channels_of, normalisation_of
from segkd_mm.one_logit import label_logits


class MMSegLabelMap(nn.Module):
    """Images to label maps as in mmseg: argmax of all logits, upsampled to the size of the image.

    mmseg's ``predict`` also resizes the logits to the original size of the image; this does not.
    """

    def __init__(self, model: BaseSegmentor) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> Tensor:
        samples = [SegDataSample() for _ in images]
        data = self.model.data_preprocessor(dict(inputs=list(images), data_samples=samples))
        size = data['inputs'].shape[2:]
        logits = label_logits(self.model, self.model(data['inputs']))
        upsampled = F.interpolate(logits, size, None, 'bilinear', self.model.align_corners)
        return _without_padding(upsampled.argmax(1), images)


class FastLabelMap(nn.Module):
    """Images to the same label maps as :class:`MMSegLabelMap`, in less time.

    Args:
        segment: Maps normalised images to logits [N, C, h, w] or to label maps [N, H, W].
        normalise: Normalises the images; None if ``segment`` takes them as they are.
        align_corners: Option of the upsampling.
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
    def from_model(cls, model: BaseSegmentor) -> 'FastLabelMap':
        """Build it from an mmseg model."""
        normalise = NormaliseInPlace.from_preprocessor(model.data_preprocessor, channels_of(model))
        return cls(model, normalise, model.align_corners)

    @classmethod
    def from_runtime(cls, runtime: Runtime) -> 'FastLabelMap':
        """Build it from an exported model."""
        metadata = runtime.metadata
        settings = (metadata[key] for key in ('mean', 'std', 'bgr_to_rgb', 'test_cfg'))
        normalise = NormaliseInPlace(*settings) if metadata['input'] == 'normalised' else None
        return cls(runtime, normalise, metadata['align_corners'])

    def forward(self, images: Tensor) -> Tensor:
        inputs = self.normalise(images) if self.normalise else images
        output = self.segment(inputs)
        if output.dim() == 4:  # logits
            output = label_logits(self.segment, output)
            output = upsampled_label_map(output, tuple(inputs.shape[2:]), self.align_corners)
        return _without_padding(output, images)


class NormaliseInPlace(nn.Module):
    """In-place normalisation of images, bit-identical to mmseg's ``SegDataPreProcessor``.

    Args:
        mean: Mean of each channel, in the order of the model's channels.
        std: Standard deviation of each channel, likewise.
        bgr_to_rgb: Whether the model takes RGB.
        test_cfg: That of the preprocessor; with a ``size_divisor``, images are padded with zeros at
            the bottom and right.
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
    def from_preprocessor(
        cls, preprocessor: SegDataPreProcessor, channels: int = CHANNELS
    ) -> 'NormaliseInPlace':
        """Build it from the test settings of an mmseg preprocessor."""
        bgr_to_rgb, mean, std = normalisation_of(preprocessor, channels)
        return cls(mean, std, bgr_to_rgb, preprocessor.test_cfg).to(preprocessor.device)

    def forward(self, images: Tensor) -> Tensor:
        flips = self.bgr_to_rgb and images.shape[1] == CHANNELS
        # Float images of the caller stay as they are.
        normalised = images.flip(1).float() if flips else images.to(torch.float32, copy=True)
        normalised.sub_(self.mean).div_(self.std)
        bottom, right = (-side % self.divisor for side in images.shape[2:])
        return F.pad(normalised, (0, right, 0, bottom)) if bottom or right else normalised


def _without_padding(label_maps: Tensor, images: Tensor) -> Tensor:
    """Crop label maps to the size of the images, without padding at the bottom and right."""
    height, width = images.shape[2:]
    return label_maps[:, :height, :width]
