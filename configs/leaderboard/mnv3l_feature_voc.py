"""MobileNetV3-Large on VOC learns from DeepLabV3's features of its crops."""

_base_ = [
    '../_base_/students/mnv3l_fcn.py',
    '../_base_/teachers/deeplabv3_mnv2.py',
    '../_base_/datasets/voc_7_small.py',
    '../_base_/schedules/adamw_poly_3e.py',
    '../_base_/runtime.py',
]
_base_.student.data_preprocessor = _base_.preprocessor
_base_.student.backbone.weights = 'weights/mobilenet_v3_large_rvm_features.pth'
_base_.student.decode_head.num_classes = _base_.num_classes
_base_.student.decode_head.loss_decode.avg_non_ignore = True
cosine = dict(type='CosineFeatureLoss', loss_weight=0.1)
final_cosine = dict(type='CosineFeatureLoss', loss_weight=0.5)
terms = dict(
    mid=dict(student='backbone.mid', teacher='backbone.mid', adapter='auto', loss=cosine),
    high=dict(student='backbone.high', teacher='backbone.high', adapter='auto', loss=cosine),
    final=dict(
        student='backbone.final', teacher='backbone.last', adapter='auto', loss=final_cosine
    ),
)
model = dict(type='SegDistiller', student=_base_.student, teacher=_base_.teacher, terms=terms)
default_hooks = dict(checkpoint=dict(interval=1))
