"""The module that is exported: a segmentor, with what comes before and after it on request."""

from copy import deepcopy

import torch
import torch.nn.functional as F
from mmseg.models.segmentors.base import BaseSegmentor
from torch import Tensor, nn

from segkd_mm.deploy.prediction import upsamples_once
from segkd_mm.normalisation import normalisation_of


class DeployedGraph(nn.Module):
    """A segmentor as it is exported: for any batch and any size of the images.

    Args:
        model: The segmentor; it is copied.
        image_in: Take images, uint8 [N, 3, H, W] in the order of channels that mmcv and OpenCV
            read (BGR), and normalise them as the segmentor's preprocessor does; else normalised
            images, float32.
        labels_out: Give labels, uint8 [N, H, W] (int64 of more than 256 classes); else logits,
            float32 [N, C, h, w] at the segmentor's own stride.
        dtype: Of the segmentor.

    Raises:
        ValueError: The segmentor's prediction is more than its logits upsampled once, or images are
            padded for it.
    """

    def __init__(
        self,
        model: BaseSegmentor,
        image_in: bool = False,
        labels_out: bool = False,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__()
        if not upsamples_once(model):
            raise ValueError(
                f'{type(model).__name__} cannot be exported: its prediction is more than logits '
                'upsampled once (sliding windows, a single class against a threshold, or a head '
                "with a way of its own to predict). Sliding windows go by test_cfg.mode='whole'."
            )
        if image_in and model.data_preprocessor.test_cfg:
            raise ValueError('Padding (test_cfg of the preprocessor) cannot go into the graph.')
        self.model = _exportable(deepcopy(model)).to(dtype).eval()
        self.normalise = Normalise(model.data_preprocessor)
        self.test_cfg = model.data_preprocessor.test_cfg  # how images are padded
        self.labels = torch.uint8 if model.out_channels <= 256 else torch.int64
        self.image_in, self.labels_out = image_in, labels_out
        self.dtype = dtype

    def describe(self) -> dict:
        """What a user of the exported file has to know of it, as of ``Runtime.metadata``."""
        return {
            'input': 'image' if self.image_in else 'normalised',
            'output': 'labels' if self.labels_out else 'logits',
            'mean': self.normalise.mean.flatten().tolist(),
            'std': self.normalise.std.flatten().tolist(),
            'bgr_to_rgb': self.normalise.swap,
            'test_cfg': self.test_cfg,
            'align_corners': self.model.align_corners,
            'parameters': sum(parameter.numel() for parameter in self.model.parameters()),
        }

    def forward(self, images: Tensor) -> Tensor:
        """Logits or labels of images [N, 3, H, W]."""
        inputs = self.normalise(images) if self.image_in else images
        logits = self.model(inputs.to(self.dtype)).float()
        if not self.labels_out:
            return logits
        size = images.shape[2:]
        whole = F.interpolate(logits, size, None, 'bilinear', self.model.align_corners)
        return whole.argmax(1).to(self.labels)


class Normalise(nn.Module):
    """What mmseg's preprocessor does to images, padding aside: uint8 to float32 [N, 3, H, W]."""

    def __init__(self, preprocessor: nn.Module) -> None:
        super().__init__()
        self.swap, mean, std = normalisation_of(preprocessor)
        self.register_buffer('mean', torch.tensor(mean).view(-1, 1, 1))
        self.register_buffer('std', torch.tensor(std).view(-1, 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        """Normalised images."""
        floats = images.float()
        return ((floats.flip(1) if self.swap else floats) - self.mean) / self.std


class BinMeans(nn.Module):
    """``nn.AdaptiveAvgPool2d`` as matrix products, which hold at any size of the input."""

    def __init__(self, bins: tuple[int, int]) -> None:
        super().__init__()
        self.bins = bins

    def forward(self, x: Tensor) -> Tensor:
        """Map [N, C, H, W] to the means [N, C, *bins]."""
        rows, columns = (
            _weights(length, bins, x) for length, bins in zip(x.shape[2:], self.bins, strict=True)
        )
        return rows @ x @ columns.T


def _weights(length: int, bins: int, like: Tensor) -> Tensor:
    """How much each of ``length`` positions counts in the mean of each bin [bins, length]."""
    number = torch.arange(bins, device=like.device)[:, None]
    at = torch.arange(length, device=like.device)
    # The bin's first and last position: floor(number * length / bins), ceil of the next one's.
    inside = (at * bins > number * length - bins) & (at * bins < (number + 1) * length)
    return inside.to(like.dtype) / inside.sum(1, keepdim=True)


def _exportable(model: nn.Module) -> nn.Module:
    """Make the exporters' work possible, and faster."""
    for module in list(model.modules()):
        for name, child in module.named_children():
            if isinstance(child, nn.AdaptiveAvgPool2d) and child.output_size not in (1, (1, 1)):
                setattr(module, name, BinMeans(_pair(child.output_size)))
        if hasattr(module, 'inplace'):
            # In place, hard-swish and its like are taken apart in the graph.
            module.inplace = False
    return model


def _pair(size: int | tuple[int, int]) -> tuple[int, int]:
    return (size, size) if isinstance(size, int) else tuple(size)
