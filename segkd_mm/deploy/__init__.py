"""Deployment: fast label maps, model export, int8 quantisation and runtimes."""

from segkd_mm.deploy.image_to_label_map import FastLabelMap, MMSegLabelMap
from segkd_mm.deploy.label_map import upsampled_label_map
from segkd_mm.deploy.prediction import without_logits
from segkd_mm.deploy.predictor import Predictor, load
from segkd_mm.deploy.runtime import Runtime, is_exported_model, load_runtime
from segkd_mm.deploy.runtime_segmentor import RuntimeSegmentor

__all__ = [
    'FastLabelMap',
    'MMSegLabelMap',
    'Predictor',
    'Runtime',
    'RuntimeSegmentor',
    'is_exported_model',
    'load',
    'load_runtime',
    'upsampled_label_map',
    'without_logits',
]
