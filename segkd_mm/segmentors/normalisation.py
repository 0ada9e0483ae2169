"""Data preprocessors with the normalisation that other libraries' models were trained with."""

from collections.abc import Sequence

import timm

from segkd_mm.labels import VOID

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def preprocessor(
    mean: Sequence[float] = IMAGENET_MEAN,
    std: Sequence[float] = IMAGENET_STD,
    scale: float = 255,
    bgr_to_rgb: bool = True,
) -> dict:
    """Config of a data preprocessor; ``mean`` and ``std`` are of pixels divided by ``scale``."""
    return dict(
        type='SegDataPreProcessor',
        mean=[scale * value for value in mean],
        std=[scale * value for value in std],
        bgr_to_rgb=bgr_to_rgb,
        size_divisor=1,
        pad_val=0,
        seg_pad_val=VOID,
    )


def timm_preprocessor(arch: str) -> dict:
    """That of timm's default weights for a model."""
    trained = timm.get_pretrained_cfg(arch)
    return preprocessor(trained.mean, trained.std)
