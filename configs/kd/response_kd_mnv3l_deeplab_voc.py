"""MobileNetV3-Large on VOC 2012 learns from labels and DeepLabV3's responses, half and half."""

_base_ = [
    '../_base_/students/mnv3l_fcn.py',
    '../_base_/teachers/deeplabv3_mnv2.py',
    '../_base_/datasets/voc.py',
    '../_base_/schedules/adam_plateau_50e.py',
    '../_base_/runtime.py',
]
_base_.student.data_preprocessor = _base_.preprocessor
_base_.student.decode_head.num_classes = _base_.num_classes
_base_.student.decode_head.loss_decode.loss_weight = 0.5
terms = dict(
    logits=dict(
        student='decode_head.conv_seg',
        teacher='decode_head.conv_seg',
        loss=dict(type='PixelKLLoss', temperature=2.0, loss_weight=0.5),
    )
)
model = dict(type='SegDistiller', student=_base_.student, teacher=_base_.teacher, terms=terms)
custom_hooks = [*_base_.custom_hooks, dict(type='ClassWeightHook')]
