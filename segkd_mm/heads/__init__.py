"""Light decode heads, for any backbone."""

from segkd_mm.heads.depthwise_decoder import DepthwiseDecoderHead
from segkd_mm.heads.light_aspp import LightASPP, LightASPPHead
from segkd_mm.heads.light_ocr import LightOCRHead

__all__ = ['DepthwiseDecoderHead', 'LightASPP', 'LightASPPHead', 'LightOCRHead']
