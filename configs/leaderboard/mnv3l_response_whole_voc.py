"""MobileNetV3-Large on VOC learns from DeepLabV3's responses to whole images."""

_base_ = ['../_base_/pairs/leaderboard_voc_whole.py', '../_base_/terms/response.py']
_base_.terms.logits.classes = _base_.class_map
model = dict(terms=_base_.terms)
