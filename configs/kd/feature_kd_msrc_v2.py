"""The slim student on MSRC-v2 learns from the features of ResNet-50."""

_base_ = ['../_base_/pairs/msrc_v2.py', '../_base_/terms/feature.py']
model = dict(terms=_base_.terms)
