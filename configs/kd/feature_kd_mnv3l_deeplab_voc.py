"""MobileNetV3-Large on VOC 2012 learns from the features of DeepLabV3 with MobileNetV2."""

_base_ = ['../_base_/pairs/voc_mnv3l_deeplab.py', '../_base_/terms/feature.py']
_base_.terms.mid.teacher = 'backbone.mid'
_base_.terms.high.teacher = 'backbone.high'
_base_.terms.final.teacher = 'backbone.last'
model = dict(terms=_base_.terms)
