"""The slim student on CamVid learns the relations of classes from ResNet-50."""

_base_ = ['../_base_/pairs/camvid.py', '../_base_/terms/dist.py']
model = dict(terms=_base_.terms)
