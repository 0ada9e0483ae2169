"""Models of other libraries as mmseg segmentors, with the libraries' own weight keys."""

from segkd_mm.segmentors.band_preprocessor import BandPreProcessor
from segkd_mm.segmentors.base import ForeignSegmentor
from segkd_mm.segmentors.pruned import PrunedEncoderDecoder
from segkd_mm.segmentors.smp_segmentor import SMPSegmentor
from segkd_mm.segmentors.timm_features import TimmFeatures
from segkd_mm.segmentors.torchvision_segmentor import TorchvisionSegmentor
from segkd_mm.segmentors.transformers_segmentor import TransformersSegmentor

__all__ = [
    'BandPreProcessor',
    'ForeignSegmentor',
    'PrunedEncoderDecoder',
    'SMPSegmentor',
    'TimmFeatures',
    'TorchvisionSegmentor',
    'TransformersSegmentor',
]
