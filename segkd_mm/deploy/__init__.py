"""Deployment: fast label maps, export, quantisation and runtimes."""

from segkd_mm.deploy.from_images import FastLabels, MMSegLabels
from segkd_mm.deploy.label_map import upsampled_label_map
from segkd_mm.deploy.prediction import labels_only
from segkd_mm.deploy.runtime import Runtime, is_artefact, load_runtime
from segkd_mm.deploy.runtime_segmentor import RuntimeSegmentor

__all__ = [
    'FastLabels',
    'MMSegLabels',
    'Runtime',
    'RuntimeSegmentor',
    'is_artefact',
    'labels_only',
    'load_runtime',
    'upsampled_label_map',
]
