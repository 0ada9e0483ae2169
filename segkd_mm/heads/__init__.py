"""Light decode heads for any backbone."""

from segkd_mm.heads.depthwise_decoder import DepthwiseDecoderHead
from segkd_mm.heads.dilated_fcn import DilatedFCNHead
from segkd_mm.heads.light_aspp import LightASPP, LightASPPHead
from segkd_mm.heads.light_ocr import LightOCRHead
from segkd_mm.heads.transposed_conv import TransposedConvHead

__all__ = [
    'DepthwiseDecoderHead',
    'DilatedFCNHead',
    'LightASPP',
    'LightASPPHead',
    'LightOCRHead',
    'TransposedConvHead',
]
