"""The slim student on VOC 2012 learns edges and bodies apart from FCN-ResNet50."""

_base_ = ['../_base_/pairs/voc.py', '../_base_/terms/boundary_split.py']
_base_.terms.logits.teacher = 'classifier'  # as torchvision calls it
model = dict(terms=_base_.terms)
