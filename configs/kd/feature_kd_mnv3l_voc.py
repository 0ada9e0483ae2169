"""MobileNetV3-Large on VOC 2012 learns from the features of FCN-ResNet50."""

_base_ = ['../_base_/pairs/voc_mnv3l.py', '../_base_/terms/feature.py']
model = dict(terms=_base_.terms)
