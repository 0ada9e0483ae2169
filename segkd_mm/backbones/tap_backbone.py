"""The one idea of our backbones: a trunk with named taps."""

from collections.abc import Sequence
from typing import NamedTuple

from mmengine.model import BaseModule
from torch import Tensor, nn

from segkd_mm.hints import did_you_mean


class Tap(NamedTuple):
    """A named place in a trunk and what comes out there."""

    name: str
    channels: int
    stride: int


class TapBackbone(BaseModule):
    """A backbone whose features have names, with their channels and strides known beside it.

    Each tap is an ``nn.Identity`` submodule, so that ``backbone.high`` names the feature for
    forward hooks and in the terms of a distiller, whatever library the trunk comes from.

    Args:
        available: All taps of the trunk, from shallow to deep.
        taps: Names of the taps to give out, in the order of the output.

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
                    f'there are {list(by_name)}.'
                )
        self.taps = tuple(by_name[name] for name in taps)
        for name in taps:
            self.add_module(name, nn.Identity())

    @property
    def channels(self) -> tuple[int, ...]:
        """Channels of each output."""
        return tuple(tap.channels for tap in self.taps)

    @property
    def strides(self) -> tuple[int, ...]:
        """Stride of each output with respect to the input, in pixels."""
        return tuple(tap.stride for tap in self.taps)

    def named_features(self, x: Tensor) -> dict[str, Tensor]:
        """Features by tap name: [N, C_tap, ceil(H / stride), ceil(W / stride)] each.

        Args:
            x: Normalised images, [N, 3, H, W].
        """
        raise NotImplementedError

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """The features as mmseg's heads want them: a tuple in the order of ``taps``."""
        features = self.named_features(x)
        return tuple(features[tap.name] for tap in self.taps)
