"""Pictures of masks, charts of results and training curves."""

from segkd_mm.visualize.mlflow_backend import MLflowPicturesBackend
from segkd_mm.visualize.picture_hook import PredictionPicturesHook
from segkd_mm.visualize.sample_hook import SamplePredictionsHook

__all__ = ['MLflowPicturesBackend', 'PredictionPicturesHook', 'SamplePredictionsHook']
