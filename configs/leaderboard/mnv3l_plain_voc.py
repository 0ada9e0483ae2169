"""The baseline on VOC: MobileNetV3-Large from pretrained features, on the labels alone."""

_base_ = [
    '../_base_/students/mnv3l_fcn.py',
    '../_base_/datasets/voc_7_small.py',
    '../_base_/schedules/adamw_poly_3e.py',
    '../_base_/runtime.py',
]
_base_.student.data_preprocessor = _base_.preprocessor
_base_.student.backbone.weights = 'weights/mobilenet_v3_large_rvm_features.pth'
_base_.student.decode_head.num_classes = _base_.num_classes
_base_.student.decode_head.loss_decode.avg_non_ignore = True
model = _base_.student
default_hooks = dict(checkpoint=dict(interval=1))
