"""The slim student on VOC 2012 learns the relations of classes from FCN-ResNet50."""

_base_ = ['../_base_/pairs/voc.py', '../_base_/terms/dist.py']
_base_.terms.logits.teacher = 'classifier'  # as torchvision calls it
model = dict(terms=_base_.terms)
