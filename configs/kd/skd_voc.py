"""The slim student on VOC 2012 learns pairs of positions from FCN-ResNet50."""

_base_ = ['../_base_/pairs/voc.py', '../_base_/terms/skd.py']
_base_.terms.context.teacher = 'classifier.2'  # its last feature, as torchvision calls it
model = dict(terms=_base_.terms)
