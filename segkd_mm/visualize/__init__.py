"""Pictures of masks, charts of results and training curves."""

from segkd_mm.visualize.picture_hook import PredictionPicturesHook

__all__ = ['PredictionPicturesHook']
