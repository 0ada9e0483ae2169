"""Deployment: fast label maps, model export, int8 quantisation and runtimes."""

from segkd_mm.deploy.image_to_label_map import FastLabelMap, MMSegLabelMap
from segkd_mm.deploy.label_map import upsampled_label_map
from segkd_mm.deploy.prediction import without_logits
from segkd_mm.deploy.predictor import Predictor, load
from segkd_mm.deploy.runtime import Runtime, load_runtime
from segkd_mm.deploy.runtime_segmentor import RuntimeSegmentor
from segkd_mm.deploy.validation_labels import ValidationLabelsHook
from segkd_mm.deploy.window_validation import WindowValLoop
from segkd_mm.deploy.windows import in_windows
from segkd_mm.formats import is_exported_model

__all__ = [
    'FastLabelMap',
    'MMSegLabelMap',
    'Predictor',
    'Runtime',
    'RuntimeSegmentor',
    'ValidationLabelsHook',
    'WindowValLoop',
    'in_windows',
    'is_exported_model',
    'load',
    'load_runtime',
    'upsampled_label_map',
    'without_logits',
]
