"""Base class of backbones with named feature taps."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from mmengine.model import BaseModule
from torch import Tensor, nn

from segkd_mm.hints import did_you_mean


class Tap(NamedTuple):
    """A named feature of a trunk, with its channels and its stride in pixels."""

    name: str
    channels: int
    stride: int


def listed(taps: Iterable[Tap]) -> str:
    """Taps in words: ``low (24 channels, stride 4), mid (40 channels, stride 8)``."""
    return ', '.join(f'{tap.name} ({tap.channels} channels, stride {tap.stride})' for tap in taps)


def checked_channels(in_channels: int) -> int:
    """The number of channels of a trunk's images.

    Raises:
        ValueError: It is none.
    """
    if in_channels < 1:
        raise ValueError(f'in_channels is {in_channels}, expected 1 or more.')
    return in_channels


class TapBackbone(BaseModule):
    """Base of backbones whose output features have names, channels and strides.

    Each tap is an ``nn.Identity`` submodule, so that ``backbone.high`` names the feature for
    forward hooks and in the terms of a distiller, independent of the library of the trunk.

    Args:
        available: All taps of the trunk, from shallow to deep.
        taps: Names of the taps to return, in this order.

    Raises:
        ValueError: A name in ``taps`` is not among ``available``.
    """

    def __init__(self, available: Sequence[Tap], taps: Sequence[str]) -> None:
        super().__init__()
        by_name = {tap.name: tap for tap in available}
        for name in taps:
            if name not in by_name:
                raise ValueError(
                    f'{type(self).__name__} has no tap {name!r}{did_you_mean(name, by_name)}; '
                    f'it has {listed(available)}.'
                )
        self.taps = tuple(by_name[name] for name in taps)
        for name in taps:
            self.add_module(name, nn.Identity())

    @property
    def channels(self) -> tuple[int, ...]:
        """Number of channels of each output."""
        return tuple(tap.channels for tap in self.taps)

    @property
    def strides(self) -> tuple[int, ...]:
        """Stride of each output relative to the input image, in pixels."""
        return tuple(tap.stride for tap in self.taps)

    def named_features(self, x: Tensor) -> dict[str, Tensor]:
        """Compute the features by tap name, each [N, C_tap, ceil(H / stride), ceil(W / stride)].

        Args:
            x: Normalised images, [N, in_channels, H, W].
        """
        raise NotImplementedError

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Compute the features as a tuple in the order of ``taps``, as mmseg's heads expect."""
        features = self.named_features(x)
        return tuple(features[tap.name] for tap in self.taps)
