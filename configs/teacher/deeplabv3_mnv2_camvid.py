"""The teacher DeepLabV3 with MobileNetV2, its trunk trained on VOC 2012, on CamVid."""

_base_ = [
    '../_base_/teachers/deeplabv3_mnv2.py',
    '../_base_/datasets/camvid.py',
    '../_base_/schedules/adamw_poly_20e.py',
    '../_base_/runtime.py',
]
_base_.teacher.model.backbone.weights = 'weights/deeplabv3_mnv2_voc.pth'
_base_.teacher.model.decode_head.num_classes = _base_.num_classes
_base_.teacher.model.decode_head.loss_decode.avg_non_ignore = False
_base_.teacher.model.data_preprocessor = _base_.preprocessor
model = _base_.teacher.model
optim_wrapper = dict(paramwise_cfg=dict(custom_keys=dict(backbone=dict(lr_mult=0.3))))
custom_hooks = [*_base_.custom_hooks, dict(type='ClassWeightHook')]
