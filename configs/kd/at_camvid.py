"""The slim student on CamVid learns the attention of ResNet-50."""

_base_ = ['../_base_/pairs/camvid.py', '../_base_/terms/at.py']
model = dict(terms=_base_.terms)
