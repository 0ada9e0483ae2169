"""The module that is exported: a segmentor, optionally with normalisation and argmax."""

from collections.abc import Sequence
from copy import deepcopy

import torch
import torch.nn.functional as F
from mmseg.models.segmentors.base import BaseSegmentor
from torch import Tensor, nn

from segkd_mm.deploy.graph_labels import graph_label_map, upsampling_and_argmax
from segkd_mm.deploy.prediction import upsamples_once
from segkd_mm.heads.light_aspp import ImagePool
from segkd_mm.normalisation import CHANNELS, Normalisation, channels_of, normalisation_of
from segkd_mm.one_logit import label_logits


class DeployedGraph(nn.Module):
    """A segmentor as it is exported, for any batch size and image size.

    Args:
        model: The segmentor; it is copied.
        image_in: Take images, [N, C, H, W] as the config loads them (BGR, or the bands of
            ``LoadBands``), and normalise them as the segmentor's preprocessor does; otherwise take
            normalised images, float32.
        labels_out: Give label maps, uint8 [N, H, W] (int64 for more than 256 classes); otherwise
            logits, float32 [N, C, h, w] at the segmentor's own stride, of one logit the two of
            :func:`segkd_mm.one_logit.label_logits`.
        dtype: Data type of the segmentor.
        pixels: Data type of the images with ``image_in``: ``torch.uint8``, or ``torch.float32``
            where they have more than 8 bits.
        size: Height and width of the images, for formats that take one size; None for any.

    Raises:
        ValueError: The segmentor's prediction is not the argmax of logits upsampled once, or
            ``image_in`` and the preprocessor pads images.
    """

    def __init__(
        self,
        model: BaseSegmentor,
        image_in: bool = False,
        labels_out: bool = False,
        dtype: torch.dtype = torch.float32,
        pixels: torch.dtype = torch.uint8,
        size: Sequence[int] | None = None,
    ) -> None:
        super().__init__()
        if not upsamples_once(model):
            raise ValueError(
                f'{type(model).__name__} cannot be exported: its prediction is not the argmax of '
                'logits upsampled once (it uses sliding windows, one logit without a threshold in '
                '(0, 1), or a head with its own predict). For sliding windows, set test_cfg.mode='
                "'whole'."
            )
        if image_in and model.data_preprocessor.test_cfg:
            raise ValueError(
                'Padding (test_cfg of the data_preprocessor) cannot be exported: export without '
                '--image-in, or remove test_cfg.'
            )
        self.model = _exportable(deepcopy(model)).to(dtype).eval()
        self.channels = channels_of(model)
        self.normalise = Normalise(normalisation_of(model.data_preprocessor, self.channels))
        self.test_cfg = model.data_preprocessor.test_cfg  # padding of the images
        self.label_dtype = torch.uint8 if model.out_channels <= 256 else torch.int64
        self.image_in, self.labels_out = image_in, labels_out
        self.input_dtype = pixels if image_in else torch.float32
        self.dtype = dtype
        self.size = size

    def describe(self) -> dict:
        """Metadata of the exported file: inputs, outputs, normalisation (see ``Runtime``)."""
        return {
            'input': 'image' if self.image_in else 'normalised',
            'output': 'labels' if self.labels_out else 'logits',
            'channels': self.channels,
            'size': self.size and list(self.size),
            'input_dtype': str(self.input_dtype).removeprefix('torch.'),
            'mean': self.normalise.mean.flatten().tolist(),
            'std': self.normalise.std.flatten().tolist(),
            'bgr_to_rgb': self.normalise.bgr_to_rgb,
            'test_cfg': self.test_cfg,
            'align_corners': self.model.align_corners,
            'parameters': sum(parameter.numel() for parameter in self.model.parameters()),
        }

    def forward(self, images: Tensor) -> Tensor:
        """Compute logits or label maps of images [N, C, H, W]."""
        inputs = self.normalise(images) if self.image_in else images
        logits = label_logits(self.model, self.model(inputs.to(self.dtype)).float())
        if not self.labels_out:
            return logits
        size = images.shape[2:]
        # Compilers for one size want all shapes in advance, that of the classes left, too.
        label_map = upsampling_and_argmax if self.size else graph_label_map
        return label_map(logits, size, self.model.align_corners).to(self.label_dtype)


class Normalise(nn.Module):
    """Normalisation of mmseg's preprocessor without padding, to float32 [N, C, H, W]."""

    def __init__(self, normalisation: Normalisation) -> None:
        super().__init__()
        self.bgr_to_rgb, mean, std = normalisation
        self.register_buffer('mean', torch.tensor(mean).view(-1, 1, 1))
        self.register_buffer('std', torch.tensor(std).view(-1, 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        """Normalise images."""
        floats = images.float()
        flips = self.bgr_to_rgb and images.shape[1] == CHANNELS
        return ((floats.flip(1) if flips else floats) - self.mean) / self.std


class ResizedImagePool(ImagePool):
    """``ImagePool`` by ``interpolate``, for converters that do not know ``expand`` to a map."""

    def forward(self, x: Tensor) -> Tensor:
        """As of the base class."""
        pooled = self._conv(x.mean((2, 3), keepdim=True))
        return F.interpolate(pooled, x.shape[2:], mode='nearest')


def without_expand(graph: DeployedGraph) -> DeployedGraph:
    """A copy of a graph whose image pooling is ``ResizedImagePool``, with the same logits."""
    graph = deepcopy(graph)
    for module in graph.modules():
        if type(module) is ImagePool:
            module.__class__ = ResizedImagePool
    return graph


class MatmulAdaptiveAvgPool(nn.Module):
    """``nn.AdaptiveAvgPool2d`` as matrix products, which can be exported for any input size."""

    def __init__(self, bins: tuple[int, int]) -> None:
        super().__init__()
        self.bins = bins

    def forward(self, x: Tensor) -> Tensor:
        """Average a map [N, C, H, W] to [N, C, *bins]."""
        rows, columns = (
            _weights(length, bins, x) for length, bins in zip(x.shape[2:], self.bins, strict=True)
        )
        return rows @ x @ columns.T


def _weights(length: int, bins: int, like: Tensor) -> Tensor:
    """Weights [bins, length] of the positions in the mean of each bin."""
    index = torch.arange(bins, device=like.device)[:, None]
    position = torch.arange(length, device=like.device)
    # A bin spans floor(index * length / bins) to ceil((index + 1) * length / bins).
    inside = (position * bins > index * length - bins) & (position * bins < (index + 1) * length)
    return inside.to(like.dtype) / inside.sum(1, keepdim=True)


def _exportable(model: nn.Module) -> nn.Module:
    """Replace layers that cannot be exported for any size, and turn off in-place operations."""
    for module in list(model.modules()):
        for name, child in module.named_children():
            if isinstance(child, nn.AdaptiveAvgPool2d) and child.output_size not in (1, (1, 1)):
                setattr(module, name, MatmulAdaptiveAvgPool(_pair(child.output_size)))
        if hasattr(module, 'inplace'):
            # In place, activations such as hard-swish are decomposed into several nodes.
            module.inplace = False
    return model


def _pair(size: int | tuple[int, int]) -> tuple[int, int]:
    return (size, size) if isinstance(size, int) else tuple(size)
