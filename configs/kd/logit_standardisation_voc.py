"""The slim student on VOC 2012 learns from the standardised logits of FCN-ResNet50."""

_base_ = ['../_base_/pairs/voc.py', '../_base_/terms/logit_standardisation.py']
_base_.terms.logits.teacher = 'classifier'  # as torchvision calls it
model = dict(terms=_base_.terms)
