"""The slim student on VOC 2012 learns from the responses of FCN-ResNet50."""

_base_ = ['../_base_/pairs/voc.py', '../_base_/terms/response.py']
_base_.terms.logits.teacher = 'classifier'  # as torchvision calls it
model = dict(terms=_base_.terms)
