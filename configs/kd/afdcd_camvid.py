"""The slim student on CamVid regenerates and contrasts the features of ResNet-50."""

_base_ = ['../_base_/pairs/camvid.py', '../_base_/terms/afdcd.py']
model = dict(terms=_base_.terms)
