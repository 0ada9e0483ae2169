"""The slim student on VOC 2012 learns relations across images from FCN-ResNet50."""

_base_ = ['../_base_/pairs/voc.py', '../_base_/terms/cirkd.py']
_base_.terms.memory.loss.num_classes = _base_.num_classes
# Its last feature, as torchvision calls it.
_base_.terms.batch.teacher = _base_.terms.memory.teacher = 'classifier.2'
model = dict(terms=_base_.terms)
