"""The slim student on VOC 2012 learns the overlap of classes from FCN-ResNet50 and the labels."""

_base_ = ['../_base_/pairs/voc.py', '../_base_/terms/jdt.py']
# As torchvision calls it.
_base_.terms.logits.teacher = _base_.terms.labels.teacher = 'classifier'
model = dict(terms=_base_.terms)
