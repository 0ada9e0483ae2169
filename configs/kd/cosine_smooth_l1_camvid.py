"""The slim student on CamVid learns the standardised features of ResNet-50."""

_base_ = ['../_base_/pairs/camvid.py', '../_base_/terms/cosine_smooth_l1.py']
model = dict(terms=_base_.terms)
