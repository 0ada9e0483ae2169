"""A timm backbone without a head, as a teacher of features."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from mmengine.model import BaseModel
from mmseg.registry import MODELS
from mmseg.utils import OptSampleList
from torch import Tensor

from segkd_mm.segmentors.normalisation import timm_preprocessor_config


@MODELS.register_module()
class TimmFeatures(BaseModel):
    """A timm trunk with the taps ``backbone.low``, ``.mid``, ``.high`` and ``.final``, no logits.

    Its weights are a file of the complete timm model, such as ``hf://timm/<name>``; the classifier
    and layers that the taps do not need are not loaded.

    Args:
        arch: Name of a timm model.
        taps: As of :class:`segkd_mm.backbones.TimmTapBackbone`.
        options: As of that class. ``out_indices`` of a vision transformer are the blocks whose
            outputs are the taps; ``dynamic_img_pad=True`` pads images whose sides its patch size
            does not divide.
        data_preprocessor: By default one with the mean and std of timm's default weights.
    """

    def __init__(
        self,
        arch: str,
        taps: Sequence[str] | None = None,
        options: dict | None = None,
        data_preprocessor: dict | None = None,
    ) -> None:
        backbone = MODELS.build(dict(type='TimmTapBackbone', arch=arch, taps=taps, options=options))
        super().__init__(data_preprocessor or timm_preprocessor_config(arch))
        self.backbone = backbone

    def forward(
        self, inputs: Tensor, data_samples: OptSampleList = None, mode: str = 'tensor'
    ) -> tuple[Tensor, ...]:
        """Compute features [N, C_tap, h, w] of normalised images [N, 3, H, W], in tap order.

        Raises:
            NotImplementedError: ``mode`` is not ``'tensor'``.
        """
        if mode != 'tensor':
            raise NotImplementedError(
                f'TimmFeatures has no classes, so it has no mode {mode!r}, expected "tensor": use '
                'it as a teacher of terms with the taps backbone.low, .mid, .high and .final.'
            )
        return self.backbone(inputs)

    def to_own_keys(self, state: Mapping[str, Tensor], source: str | Path) -> dict[str, Tensor]:
        """Convert weights by :meth:`TimmTapBackbone.to_own_keys` of the backbone."""
        own = self.backbone.to_own_keys(state, source)
        return {f'backbone.{key}': value for key, value in own.items()}
