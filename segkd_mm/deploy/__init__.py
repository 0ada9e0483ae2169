"""What a trained model runs with: fast prediction, export and runtimes."""

from segkd_mm.deploy.from_photos import FastLabels, MMSegLabels
from segkd_mm.deploy.labels import upsampled_labels
from segkd_mm.deploy.prediction import labels_only
from segkd_mm.deploy.runtime import Runtime, is_artefact, load_runtime

__all__ = [
    'FastLabels',
    'MMSegLabels',
    'Runtime',
    'is_artefact',
    'labels_only',
    'load_runtime',
    'upsampled_labels',
]
