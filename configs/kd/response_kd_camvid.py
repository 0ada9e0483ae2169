"""The slim student on CamVid learns from the responses of ResNet-50."""

_base_ = ['../_base_/pairs/camvid.py', '../_base_/terms/response.py']
model = dict(terms=_base_.terms)
