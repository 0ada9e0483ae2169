"""The slim student on CamVid learns from DeepLabV3's features of its crops."""

_base_ = ['../_base_/pairs/leaderboard_camvid.py', '../_base_/terms/feature.py']
_base_.terms.mid.teacher = 'backbone.mid'
_base_.terms.high.teacher = 'backbone.high'
_base_.terms.final.teacher = 'backbone.last'
model = dict(terms=_base_.terms)
