"""Backbone with named feature taps over torchvision's MobileNets and ResNets."""

from collections.abc import Sequence

from mmseg.registry import MODELS
from timm.models import adapt_input_conv
from torch import Tensor

from segkd_mm.backbones.dilated import build_trunk
from segkd_mm.backbones.tap_backbone import Tap, TapBackbone, checked_channels
from segkd_mm.weights import TORCHVISION, WeightsError, load_strictly, read_state_dict

# For each tap: the stage of the trunk whose output it is, its channels, and its stride in the
# classifier. `low` to `high` are the last features at strides 4, 8 and 16; `last` is the last
# block of a MobileNet, and `final` is the feature that the classifier pools.
_RESNET = {'low': ('layer1', 64, 4), 'mid': ('layer2', 128, 8), 'high': ('layer3', 256, 16),
           'final': ('layer4', 512, 32)}  # fmt: skip
_BOTTLENECK = {name: (stage, 4 * channels, s) for name, (stage, channels, s) in _RESNET.items()}
TAPS = {
    'mobilenet_v3_small': {'low': ('1', 16, 4), 'mid': ('3', 24, 8), 'high': ('8', 48, 16),
                           'last': ('11', 96, 32), 'final': ('12', 576, 32)},
    'mobilenet_v3_large': {'low': ('3', 24, 4), 'mid': ('6', 40, 8), 'high': ('12', 112, 16),
                           'last': ('15', 160, 32), 'final': ('16', 960, 32)},
    'mobilenet_v2': {'low': ('3', 24, 4), 'mid': ('6', 32, 8), 'high': ('13', 96, 16),
                     'last': ('17', 320, 32), 'final': ('18', 1280, 32)},
    'resnet18': _RESNET,
    'resnet50': _BOTTLENECK,
    'resnet101': _BOTTLENECK,
}  # fmt: skip


@MODELS.register_module()
class TorchvisionTapBackbone(TapBackbone):
    """The trunk of a torchvision classifier with the taps low, mid, high, (last,) final.

    Source: MobileNetV3 arXiv 1905.02244, MobileNetV2 arXiv 1801.04381, ResNet arXiv 1512.03385,
    as built by torchvision; keys below ``body`` are torchvision's.

    Args:
        arch: One of ``TAPS``.
        output_stride: 8, 16 or 32; deeper stages dilate instead of striding.
        taps: Names of the outputs, by default low, mid, high and final. Stages after the
            deepest tap are not built.
        weights: None, ``'hub'`` for torchvision's ImageNet weights, or a file (see
            :func:`segkd_mm.weights.read_state_dict`) of torchvision, or a checkpoint of a model
            with this backbone and any head. Loaded by :meth:`init_weights`, that is when training
            starts, without the classifier and the stages that are not built.
        in_channels: Channels of the images. Weights for three channels are folded to it as by timm.

    Raises:
        ValueError: Unknown ``arch``, ``output_stride`` or tap.
    """

    def __init__(
        self,
        arch: str,
        output_stride: int = 32,
        taps: Sequence[str] = ('low', 'mid', 'high', 'final'),
        weights: str | None = None,
        in_channels: int = 3,
    ) -> None:
        if arch not in TAPS:
            raise ValueError(f'arch is {arch!r}, expected one of {list(TAPS)}.')
        known = TAPS[arch]
        available = [Tap(n, c, min(s, output_stride)) for n, (_, c, s) in known.items()]
        super().__init__(available, taps)
        self.arch = arch
        self.weights = weights
        self.in_channels = checked_channels(in_channels)
        trunk = build_trunk(arch, output_stride, in_channels)
        self._tap_after = {known[name][0]: name for name in taps}
        stages = list(dict(trunk.named_children()))
        self._unbuilt = stages[1 + max(stages.index(stage) for stage in self._tap_after) :]
        self.body = trunk[: len(stages) - len(self._unbuilt)]

    def named_features(self, x: Tensor) -> dict[str, Tensor]:
        features = {}
        for stage, block in self.body.named_children():
            x = block(x)
            if stage in self._tap_after:
                name = self._tap_after[stage]
                features[name] = self.get_submodule(name)(x)
        return features

    def init_weights(self) -> None:
        """Load ``weights``; without them keep torchvision's initialisation."""
        if self.weights is None:
            return
        source = TORCHVISION + self.arch if self.weights == 'hub' else self.weights
        state = _trunk_weights(self._read(source))
        excluded = ('classifier', 'fc', *self._unbuilt)
        state = {k: v for k, v in state.items() if k.split('.')[0] not in excluded}
        first = next(iter(self.body.state_dict()))
        if first in state and state[first].shape[1] == 3:
            state[first] = adapt_input_conv(self.in_channels, state[first])
        load_strictly(self.body, state, source)

    def _read(self, source: str) -> dict[str, Tensor]:
        try:
            return read_state_dict(source)
        except WeightsError as error:
            if self.weights != 'hub':
                raise
            raise WeightsError(
                f'{error} In the config of this backbone ({self.arch}) that is weights="/path" in '
                'place of "hub"; weights=None starts from random weights.'
            ) from error


def _trunk_weights(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Trunk weights from a segmentor's checkpoint; all weights of a classifier's."""
    prefix = 'backbone.body.'
    trunk = {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}
    return trunk or {k.removeprefix('features.'): v for k, v in state.items()}
