"""MobileNetV3-Large on VOC learns channel by channel from DeepLabV3 on whole images."""

_base_ = ['../_base_/pairs/leaderboard_voc_whole.py', '../_base_/terms/cwd.py']
_base_.terms.logits.classes = _base_.class_map
model = dict(terms=_base_.terms)
