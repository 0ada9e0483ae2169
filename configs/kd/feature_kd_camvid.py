"""The slim student on CamVid learns from the features of ResNet-50."""

_base_ = ['../_base_/pairs/camvid.py', '../_base_/terms/feature.py']
model = dict(terms=_base_.terms)
