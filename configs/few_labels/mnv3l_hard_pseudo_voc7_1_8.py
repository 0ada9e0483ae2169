"""MobileNetV3-Large with few labels learns the classes that the teacher predicts on all images."""

_base_ = ['../_base_/pairs/few_labels_voc7_1_8.py', '../_base_/terms/pseudo_label.py']
_base_.terms.logits.classes = _base_.class_map
model = dict(terms=_base_.terms)
