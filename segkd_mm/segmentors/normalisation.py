"""Data preprocessor configs with the normalisation of other libraries' models."""

from collections.abc import Sequence

import timm

from segkd_mm.labels import VOID

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def preprocessor_config(
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


def timm_preprocessor_config(arch: str) -> dict:
    """Config of a data preprocessor with the mean and std of a timm model's default weights."""
    pretrained = timm.get_pretrained_cfg(arch)
    return preprocessor_config(pretrained.mean, pretrained.std)
