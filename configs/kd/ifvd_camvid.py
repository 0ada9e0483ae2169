"""The slim student on CamVid learns the variation within classes from ResNet-50."""

_base_ = ['../_base_/pairs/camvid.py', '../_base_/terms/ifvd.py']
model = dict(terms=_base_.terms)
