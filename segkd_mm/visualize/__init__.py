"""Pictures: overlays, charts and curves; matplotlib is imported when used."""

from segkd_mm.visualize.picture_hook import PredictionPicturesHook

__all__ = ['PredictionPicturesHook']
