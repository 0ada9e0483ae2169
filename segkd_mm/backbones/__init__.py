"""Backbones with named feature taps, over torchvision and timm."""

from segkd_mm.backbones.tap_backbone import Tap, TapBackbone
from segkd_mm.backbones.timm_taps import TimmTapBackbone
from segkd_mm.backbones.torchvision_taps import TorchvisionTapBackbone

__all__ = ['Tap', 'TapBackbone', 'TimmTapBackbone', 'TorchvisionTapBackbone']
