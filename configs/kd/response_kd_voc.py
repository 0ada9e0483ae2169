"""The slim student on VOC 2012 learns from the responses of FCN-ResNet50."""

_base_ = [
    '../_base_/students/mnv3s_slim.py',
    '../_base_/teachers/fcn_r50.py',
    '../_base_/datasets/voc.py',
    '../_base_/schedules/adam_plateau_50e.py',
    '../_base_/runtime.py',
]
_base_.student.data_preprocessor = _base_.preprocessor
_base_.student.backbone.weights = 'hub'  # ImageNet's, by torchvision; None for none
_base_.student.decode_head.num_classes = _base_.num_classes
terms = dict(
    logits=dict(
        student='decode_head.conv_seg',
        teacher='classifier',
        loss=dict(type='PixelKLLoss', temperature=2.0, loss_weight=1.0),
    )
)
model = dict(type='SegDistiller', student=_base_.student, teacher=_base_.teacher, terms=terms)
