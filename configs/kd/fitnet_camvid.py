"""The slim student on CamVid learns the values of the features of ResNet-50."""

_base_ = ['../_base_/pairs/camvid.py', '../_base_/terms/fitnet.py']
model = dict(terms=_base_.terms)
