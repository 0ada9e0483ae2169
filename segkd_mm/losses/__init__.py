"""Distillation losses: pure functions, and thin registered modules over them."""

from segkd_mm.losses.modules import (
    ChannelWiseLoss,
    CosineFeatureLoss,
    FitNetLoss,
    KDLoss,
    PixelKLLoss,
)

__all__ = ['ChannelWiseLoss', 'CosineFeatureLoss', 'FitNetLoss', 'KDLoss', 'PixelKLLoss']
