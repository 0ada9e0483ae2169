"""Backbone with named feature taps over a timm model (``features_only=True``)."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.error import URLError

import timm
import torch
from mmseg.registry import MODELS
from torch import Tensor, nn

from segkd_mm.backbones.tap_backbone import Tap, TapBackbone
from segkd_mm.hints import did_you_mean
from segkd_mm.weights import WeightsError, check_fit, load_strictly, read_state_dict

_NAMES = ('low', 'mid', 'high', 'final')


@MODELS.register_module()
class TimmTapBackbone(TapBackbone):
    """A timm trunk with the taps low, mid, high, final: its last four feature levels.

    Source: timm, https://github.com/huggingface/pytorch-image-models, ``features_only=True``.

    Args:
        arch: Name of a timm model.
        output_stride: Passed to timm if it is not 32; not all models support it.
        taps: Names of the outputs. Levels deeper than these are not built, except in timm's
            EfficientNet family, which includes MobileNetV3.
        weights: None, ``'hub'`` for timm's default weights, or a file with timm's keys
            (:func:`segkd_mm.weights.read_state_dict`), which must hold the complete model. Loaded
            without the classifier by :meth:`init_weights`, that is when training starts.
        options: Further arguments of ``timm.create_model``, such as ``dynamic_img_size`` and
            ``out_indices`` of a vision transformer, whose levels are its blocks.

    Raises:
        ValueError: Unknown ``arch`` or tap; the message names close matches.
    """

    def __init__(
        self,
        arch: str,
        output_stride: int = 32,
        taps: Sequence[str] = _NAMES,
        weights: str | None = None,
        options: dict | None = None,
    ) -> None:
        if not timm.is_model(arch):
            hint = did_you_mean(arch, timm.list_models())
            raise ValueError(
                f'timm has no model {arch!r}{hint}; expected a name of timm.list_models().'
            )
        kwargs = {} if output_stride == 32 else {'output_stride': output_stride}
        kwargs |= options or {}
        with torch.device('meta'):
            info = timm.create_model(arch, features_only=True, **kwargs).feature_info
        indices = [index % len(info) for index in info.out_indices]
        levels = list(zip(indices, info.channels(), info.reduction(), strict=True))[-len(_NAMES) :]
        names = _NAMES[-len(levels) :]
        available = [Tap(n, c, stride) for n, (_, c, stride) in zip(names, levels, strict=True)]
        super().__init__(available, taps)
        self.arch = arch
        self.weights = weights
        deepest = max(map(names.index, taps))
        self._kwargs = {**kwargs, 'out_indices': tuple(i for i, *_ in levels[: deepest + 1])}
        self._names = names[: deepest + 1]
        self.body = timm.create_model(arch, features_only=True, **self._kwargs)

    def named_features(self, x: Tensor) -> dict[str, Tensor]:
        levels = dict(zip(self._names, self.body(x), strict=True))
        return {tap.name: self.get_submodule(tap.name)(levels[tap.name]) for tap in self.taps}

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
                f'{source.hf_hub_id or source.url} by hand and pass the file: weights="/path".'
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
