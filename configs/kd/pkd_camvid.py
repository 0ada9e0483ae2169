"""The slim student on CamVid learns the correlation of features from ResNet-50."""

_base_ = ['../_base_/pairs/camvid.py', '../_base_/terms/pkd.py']
model = dict(terms=_base_.terms)
