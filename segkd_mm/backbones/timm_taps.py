"""Backbone with named feature taps over a timm model (``features_only=True``)."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple
from urllib.error import URLError

import timm
import torch
from mmseg.registry import MODELS
from timm.layers import Format, nhwc_to, to_2tuple
from torch import Tensor, nn

from segkd_mm.backbones.tap_backbone import Tap, TapBackbone, checked_channels, listed
from segkd_mm.hints import did_you_mean
from segkd_mm.weights import WeightsError, check_fit, load_strictly, read_state_dict

_NAMES = ('low', 'mid', 'high', 'final')
_OWN_STRIDE = 32


class _Level(NamedTuple):
    index: int  # of timm's features
    tap: Tap


@MODELS.register_module()
class TimmTapBackbone(TapBackbone):
    """A timm trunk with the taps low, mid, high, final: its last four feature levels.

    A trunk of three levels has no ``low``. The levels have strides 4, 8, 16 and 32 in most trunks,
    16, 32 and 64 in a few, and 16 alone in vision transformers (docs/students.md).

    Source: timm, https://github.com/huggingface/pytorch-image-models, ``features_only=True``.

    Args:
        arch: Name of a timm model.
        output_stride: 32 leaves the trunk as it is; with 8 or 16 its deeper levels dilate instead
            of striding, which not all timm models can.
        taps: Names of the outputs; None for all. Levels deeper than these are not built, except in
            timm's EfficientNet family, which includes MobileNetV3.
        weights: None, ``'hub'`` for timm's default weights, or a file with timm's keys
            (:func:`segkd_mm.weights.read_state_dict`), which must hold the complete model. Loaded
            without the classifier by :meth:`init_weights`, that is when training starts.
        options: Further arguments of ``timm.create_model``, such as ``out_indices`` of a vision
            transformer, whose levels are its blocks, or ``img_size`` of a trunk that takes images
            of one size. ``dynamic_img_size`` is True by default where timm's model has it.
        in_channels: Channels of the images. timm folds weights for three channels to it.

    Raises:
        ValueError: Unknown ``arch`` or tap, or an ``output_stride`` that the model cannot have; the
            message names close matches, or the taps that there are.
    """

    def __init__(
        self,
        arch: str,
        output_stride: int = _OWN_STRIDE,
        taps: Sequence[str] | None = None,
        weights: str | None = None,
        options: dict | None = None,
        in_channels: int = 3,
    ) -> None:
        if not timm.is_model(arch):
            hint = did_you_mean(arch, timm.list_models())
            raise ValueError(
                f'timm has no model {arch!r}{hint}; expected a name of timm.list_models().'
            )
        options = dict(options or {})
        if checked_channels(in_channels) != 3:
            options['in_chans'] = in_channels
        kwargs, levels = _for_any_size(arch, options)
        if output_stride not in (_OWN_STRIDE, levels[-1].tap.stride):
            kwargs, levels = _dilated(arch, output_stride, kwargs, levels)
        names = [level.tap.name for level in levels]
        super().__init__([level.tap for level in levels], taps or names)
        self.arch = arch
        self.weights = weights
        self.in_channels = options.get('in_chans', in_channels)
        self._image_size = _image_size(arch, kwargs)
        built = levels[: 1 + max(names.index(tap.name) for tap in self.taps)]
        self._names = [level.tap.name for level in built]
        self._kwargs = {**kwargs, 'out_indices': tuple(level.index for level in built)}
        self.body = timm.create_model(arch, features_only=True, **self._kwargs)

    def named_features(self, x: Tensor) -> dict[str, Tensor]:
        """As of the base class.

        Raises:
            ValueError: The trunk is built for images of one size, and fails at this other one.
        """
        levels = dict(zip(self._names, self._levels(x), strict=True))
        return {tap.name: self.get_submodule(tap.name)(levels[tap.name]) for tap in self.taps}

    def _levels(self, x: Tensor) -> list[Tensor]:
        size = tuple(x.shape[2:])
        try:
            levels = self.body(x)
        except (AssertionError, RuntimeError) as error:
            if self._image_size in (None, size):
                raise
            raise ValueError(
                f'timm model {self.arch} is built for images of {_by(self._image_size)} pixels and '
                f'fails at {_by(size)} ({error}). Build it for the crops, '
                f'options=dict(img_size={size}), and predict in windows of that size: '
                f"test_cfg=dict(mode='slide', crop_size={size}, stride=...)."
            ) from error
        channels_last = getattr(self.body, 'output_fmt', None) == Format.NHWC  # of Swin
        return [nhwc_to(y, Format.NCHW) if channels_last else y for y in levels]

    def init_weights(self) -> None:
        """Load ``weights``; without them keep timm's initialisation."""
        if self.weights == 'hub':
            self.body.load_state_dict(self._from_hub().state_dict())
        elif self.weights is not None:
            load_strictly(self, read_state_dict(self.weights), self.weights)

    def _from_hub(self) -> nn.Module:
        try:
            return timm.create_model(self.arch, features_only=True, pretrained=True, **self._kwargs)
        except (URLError, OSError, RuntimeError) as error:
            source = timm.get_pretrained_cfg(self.arch)
            raise WeightsError(
                f'Could not download the weights of timm model {self.arch} ({error}). Download '
                f'{source.hf_hub_id or source.url} by hand and pass the file: weights="/path"; '
                'weights=None starts from random weights.'
            ) from error

    def to_own_keys(self, state: Mapping[str, Tensor], source: str | Path) -> dict[str, Tensor]:
        """Convert the weights of the complete timm model to the keys of this backbone.

        Raises:
            WeightsError: They do not fit the complete model without its classifier.
        """
        # timm loads an incomplete trunk without an error. So the file is checked against the
        # complete model without its classifier, before timm selects what the features need.
        with torch.device('meta'):
            full_model = timm.create_model(self.arch)
        classifier = timm.get_pretrained_cfg_value(self.arch, 'classifier') or ()
        classifiers = (classifier,) if isinstance(classifier, str) else classifier
        check_fit(full_model, state, source, ignore=classifiers)
        body = timm.create_model(
            self.arch,
            features_only=True,
            pretrained=True,
            pretrained_cfg_overlay={'state_dict': dict(state)},
            **self._kwargs,
        )
        return {f'body.{key}': value for key, value in body.state_dict().items()}


def _for_any_size(arch: str, options: dict) -> tuple[dict, list[_Level]]:
    """Arguments of a model, for images of any size if it can have them, and its levels."""
    if _is_for_one_size(arch):
        kwargs = {'dynamic_img_size': True, **options}
        try:
            return kwargs, _levels(arch, kwargs)
        except TypeError:  # no such argument
            pass
    return options, _levels(arch, options)


def _dilated(
    arch: str, output_stride: int, kwargs: dict, levels: list[_Level]
) -> tuple[dict, list[_Level]]:
    """Arguments and levels of a model with another output stride than its own.

    Raises:
        ValueError: The model cannot have it.
    """
    kwargs, error = {**kwargs, 'output_stride': output_stride}, None
    try:
        dilated = _levels(arch, kwargs)
        if dilated[-1].tap.stride == output_stride:
            return kwargs, dilated
    except (TypeError, AssertionError, NotImplementedError) as raised:
        error = raised
    raise ValueError(
        f'timm model {arch} cannot have output_stride={output_stride}. Its taps are '
        f'{listed([level.tap for level in levels])}. Leave out output_stride, and give the head '
        'the shallower taps too, as configs/_base_/students/repvit_slim.py does.'
    ) from error


def _levels(arch: str, kwargs: dict) -> list[_Level]:
    """The last four levels of a model; it is not built."""
    with torch.device('meta'):
        info = timm.create_model(arch, features_only=True, **kwargs).feature_info
    indices = [index % len(info) for index in info.out_indices]
    levels = list(zip(indices, info.channels(), info.reduction(), strict=True))[-len(_NAMES) :]
    names = _NAMES[-len(levels) :]
    return [_Level(i, Tap(n, c, s)) for n, (i, c, s) in zip(names, levels, strict=True)]


def _image_size(arch: str, kwargs: dict) -> tuple[int, int] | None:
    """The size of images for which a model is built, (height, width); None for any."""
    if not _is_for_one_size(arch) or kwargs.get('dynamic_img_size'):
        return None
    return to_2tuple(kwargs.get('img_size', timm.get_pretrained_cfg_value(arch, 'input_size')[1:]))


def _is_for_one_size(arch: str) -> bool:
    return bool(timm.get_pretrained_cfg_value(arch, 'fixed_input_size'))


def _by(size: Sequence[int]) -> str:
    return ' x '.join(map(str, size))
