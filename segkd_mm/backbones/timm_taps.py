"""Feature taps over any timm model that has ``features_only``."""

from collections.abc import Sequence
from difflib import get_close_matches
from urllib.error import URLError

import timm
import torch
from mmseg.registry import MODELS
from torch import Tensor, nn

from segkd_mm.backbones.tap_backbone import Tap, TapBackbone
from segkd_mm.weights import WeightsError, check_fit, read_state_dict

_NAMES = ('low', 'mid', 'high', 'final')


@MODELS.register_module()
class TimmTapBackbone(TapBackbone):
    """A timm trunk with the taps low, mid, high, final: its last four feature levels.

    Source: timm, https://github.com/huggingface/pytorch-image-models, ``features_only=True``.

    Args:
        arch: Name of a timm model.
        output_stride: Passed to timm where it is not 32; not all models have it.
        taps: Names of the outputs. Levels behind the deepest are left out if timm can (not in
            its EfficientNet family, which MobileNetV3 belongs to).
        weights: None, ``'hub'`` for timm's default weights, or a file in timm's key names
            (:func:`segkd_mm.weights.read_state_dict`). Read by :meth:`init_weights`, that is when
            training starts; a file must hold the whole model, its classifier is left out.

    Raises:
        ValueError: Unknown ``arch`` or tap; close matches are shown.
    """

    def __init__(
        self,
        arch: str,
        output_stride: int = 32,
        taps: Sequence[str] = _NAMES,
        weights: str | None = None,
    ) -> None:
        if not timm.is_model(arch):
            close = get_close_matches(arch, timm.list_models(), n=3)
            raise ValueError(f'timm has no model {arch!r}. Close: {", ".join(close) or "none"}.')
        kwargs = {} if output_stride == 32 else {'output_stride': output_stride}
        with torch.device('meta'):
            info = timm.create_model(arch, features_only=True, **kwargs).feature_info
        levels = list(zip(info.channels(), info.reduction(), strict=True))[-len(_NAMES) :]
        names = _NAMES[-len(levels) :]
        available = [Tap(n, *level) for n, level in zip(names, levels, strict=True)]
        super().__init__(available, taps)
        self.arch = arch
        self.weights = weights
        first, deepest = len(info.channels()) - len(levels), max(map(names.index, taps))
        self._kwargs = {**kwargs, 'out_indices': tuple(range(first, first + deepest + 1))}
        self._names = names[: deepest + 1]
        self.body = timm.create_model(arch, features_only=True, **self._kwargs)

    def named_features(self, x: Tensor) -> dict[str, Tensor]:
        levels = dict(zip(self._names, self.body(x), strict=True))
        return {tap.name: self.get_submodule(tap.name)(levels[tap.name]) for tap in self.taps}

    def init_weights(self) -> None:
        """Load ``weights``; without them timm's initialisation stands."""
        if self.weights is None:
            return
        source = self._from_hub() if self.weights == 'hub' else self._from_file()
        self.body.load_state_dict(source.state_dict())

    def _from_hub(self) -> nn.Module:
        try:
            return timm.create_model(self.arch, features_only=True, pretrained=True, **self._kwargs)
        except (URLError, OSError, RuntimeError) as error:
            where = timm.get_pretrained_cfg(self.arch)
            raise WeightsError(
                f'Could not fetch the weights of timm model {self.arch} ({error}). Get them from '
                f'{where.hf_hub_id or where.url} in another way and pass the file: weights="/path".'
            ) from error

    def _from_file(self) -> nn.Module:
        # timm loads a part of a trunk without complaint, so the file is held against the whole
        # model, classifier aside, before timm picks what the features need.
        with torch.device('meta'):
            whole = timm.create_model(self.arch)
        state = read_state_dict(self.weights)
        classifier = timm.get_pretrained_cfg_value(self.arch, 'classifier') or ()
        classifiers = (classifier,) if isinstance(classifier, str) else classifier
        check_fit(whole, state, self.weights, ignore=classifiers)
        overlay = {'state_dict': state}
        return timm.create_model(
            self.arch, features_only=True, pretrained=True, pretrained_cfg_overlay=overlay,
            **self._kwargs,
        )  # fmt: skip
