"""What a trained model runs with: fast prediction, export and runtimes."""

from segkd_mm.deploy.from_photos import FastLabels, MMSegLabels
from segkd_mm.deploy.labels import upsampled_labels
from segkd_mm.deploy.prediction import labels_only

__all__ = ['FastLabels', 'MMSegLabels', 'labels_only', 'upsampled_labels']
