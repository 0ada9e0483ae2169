"""The slim student on CamVid learns pairs of positions from ResNet-50."""

_base_ = ['../_base_/pairs/camvid.py', '../_base_/terms/skd.py']
model = dict(terms=_base_.terms)
