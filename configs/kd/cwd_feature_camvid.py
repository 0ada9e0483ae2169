"""The slim student on CamVid learns channel by channel from the features of ResNet-50."""

_base_ = ['../_base_/pairs/camvid.py', '../_base_/terms/cwd_feature.py']
model = dict(terms=_base_.terms)
