"""The slim student on CamVid learns relations across images from ResNet-50."""

_base_ = ['../_base_/pairs/camvid.py', '../_base_/terms/cirkd.py']
_base_.terms.memory.loss.num_classes = _base_.num_classes
model = dict(terms=_base_.terms)
