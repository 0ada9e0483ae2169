"""The slim student on CamVid learns channel by channel from ResNet-50."""

_base_ = ['../_base_/pairs/camvid.py', '../_base_/terms/cwd.py']
model = dict(terms=_base_.terms)
