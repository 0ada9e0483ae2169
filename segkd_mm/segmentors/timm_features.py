"""A bare timm backbone as a teacher of features."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from mmengine.model import BaseModel
from mmseg.registry import MODELS
from mmseg.utils import OptSampleList
from torch import Tensor

from segkd_mm.segmentors.normalisation import timm_preprocessor


@MODELS.register_module()
class TimmFeatures(BaseModel):
    """A timm trunk with the taps ``backbone.low``, ``.mid``, ``.high`` and ``.final``, no logits.

    Its weights are a file of the whole timm model; the classifier, and what the taps do not need,
    are left out. ``hf://timm/<name>`` gives timm's own.

    Args:
        arch: Name of a timm model.
        taps: As of :class:`segkd_mm.backbones.TimmTapBackbone`.
        options: As of that. A vision transformer wants ``out_indices``, the blocks whose outputs
            are the taps, and ``dynamic_img_size=True`` to see images of any size;
            ``dynamic_img_pad=True`` pads those whose sides its patch does not divide.
        data_preprocessor: By default with the mean and std of timm's default weights.
    """

    def __init__(
        self,
        arch: str,
        taps: Sequence[str] = ('low', 'mid', 'high', 'final'),
        options: dict | None = None,
        data_preprocessor: dict | None = None,
    ) -> None:
        backbone = MODELS.build(dict(type='TimmTapBackbone', arch=arch, taps=taps, options=options))
        super().__init__(data_preprocessor or timm_preprocessor(arch))
        self.backbone = backbone

    def forward(
        self, inputs: Tensor, data_samples: OptSampleList = None, mode: str = 'tensor'
    ) -> tuple[Tensor, ...]:
        """The features [N, C_tap, h, w] of normalised images [N, 3, H, W], in the order of taps.

        Raises:
            NotImplementedError: Another ``mode`` than ``'tensor'``.
        """
        if mode != 'tensor':
            raise NotImplementedError(
                f'TimmFeatures has features and no classes, so that there is no {mode}: it is a '
                'teacher for terms whose taps are backbone.low, .mid, .high and .final.'
            )
        return self.backbone(inputs)

    def to_own_keys(self, state: Mapping[str, Tensor], source: str | Path) -> dict[str, Tensor]:
        """Those of the backbone's :meth:`TimmTapBackbone.to_own_keys`."""
        own = self.backbone.to_own_keys(state, source)
        return {f'backbone.{key}': value for key, value in own.items()}
