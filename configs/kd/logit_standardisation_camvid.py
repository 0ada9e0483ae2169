"""The slim student on CamVid learns from the standardised logits of ResNet-50."""

_base_ = ['../_base_/pairs/camvid.py', '../_base_/terms/logit_standardisation.py']
model = dict(terms=_base_.terms)
