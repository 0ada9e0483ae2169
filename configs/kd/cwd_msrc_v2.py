"""The slim student on MSRC-v2 learns channel by channel from ResNet-50."""

_base_ = ['../_base_/pairs/msrc_v2.py', '../_base_/terms/cwd.py']
model = dict(terms=_base_.terms)
