"""MobileNetV3-Large with few labels learns the classes that the teacher predicts on all images."""

_base_ = ['../_base_/pairs/few_labels_voc7_1_8.py', '../_base_/terms/response.py']
_base_.terms.logits.classes = _base_.class_map
_base_.terms.logits.loss = dict(type='PseudoLabelLoss', loss_weight=1.0)
model = dict(terms=_base_.terms)
