"""MobileNetV3-Large on VOC 2012 learns from labels and DeepLabV3's responses, half and half."""

_base_ = ['../_base_/pairs/voc_mnv3l_deeplab.py', '../_base_/terms/response.py']
_base_.terms.logits.loss.loss_weight = 0.5
model = dict(student=dict(decode_head=dict(loss_decode=dict(loss_weight=0.5))), terms=_base_.terms)
