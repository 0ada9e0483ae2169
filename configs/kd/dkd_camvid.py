"""The slim student on CamVid learns the classes beside the label from ResNet-50."""

_base_ = ['../_base_/pairs/camvid.py', '../_base_/terms/dkd.py']
model = dict(terms=_base_.terms)
