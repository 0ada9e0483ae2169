"""Data preprocessor of images of any number of bands."""

from collections.abc import Sequence
from typing import Any

import torch
from mmseg.models.data_preprocessor import SegDataPreProcessor
from mmseg.registry import MODELS

from segkd_mm.commands import command


@MODELS.register_module()
class BandPreProcessor(SegDataPreProcessor):
    """mmseg's ``SegDataPreProcessor`` of any number of channels (it takes one or three).

    Args:
        mean: Mean of each band, in values of the image.
        std: Standard deviation of each band.
        bgr_to_rgb: False, as the bands keep the order of the file.
        **kwargs: As of ``SegDataPreProcessor``.

    Raises:
        ValueError: Not as many of ``std`` as of ``mean``, or one that is not above 0; or, at the
            call, images of another number of channels.
    """

    def __init__(
        self,
        mean: Sequence[float],
        std: Sequence[float],
        bgr_to_rgb: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if len(mean) != len(std) or bgr_to_rgb or min(std, default=0) <= 0:
            raise ValueError(
                f'BandPreProcessor: mean={list(mean)}, std={list(std)}, bgr_to_rgb={bgr_to_rgb}; '
                'expected a mean and a std above 0 for each band, and bgr_to_rgb=False. '
                f'`{command("band-statistics")} FOLDER` counts them.'
            )
        # mmengine's base class refuses more than three.
        self._enable_normalize = True
        for name, values in (('mean', mean), ('std', std)):
            values = torch.tensor(values, dtype=torch.float32).view(-1, 1, 1)
            self.register_buffer(name, values, persistent=False)

    def forward(self, data: dict, training: bool = False) -> dict:
        """As of the base class."""
        for image in data['inputs']:
            if len(image) != len(self.mean):
                raise ValueError(
                    f'An image has {len(image)} channels, but the mean of the model has '
                    f'{len(self.mean)} values: load images by '
                    f"dict(type='LoadBands', channels={len(self.mean)})."
                )
        return super().forward(data, training)
