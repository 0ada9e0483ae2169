"""The slim student on CamVid regenerates the features of ResNet-50."""

_base_ = ['../_base_/pairs/camvid.py', '../_base_/terms/mgd.py']
model = dict(terms=_base_.terms)
