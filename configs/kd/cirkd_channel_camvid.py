"""The slim student on CamVid learns relations of channels across images from ResNet-50."""

_base_ = [
    '../_base_/students/mnv3s_slim.py',
    '../_base_/teachers/aspp_r50.py',
    '../_base_/datasets/camvid.py',
    '../_base_/schedules/adamw_poly_20e.py',
    '../_base_/runtime.py',
]
_base_.student.data_preprocessor = _base_.preprocessor
_base_.student.decode_head.num_classes = _base_.num_classes
_base_.teacher.model.decode_head.num_classes = _base_.num_classes
_base_.teacher.checkpoint = 'work_dirs/aspp_r50_camvid/best.pth'
aspp = dict(student='decode_head.aspp', teacher='decode_head.aspp', adapter='auto')
terms = dict(
    channels=dict(aspp, loss=dict(type='ChannelRelationLoss', temperature=0.1, loss_weight=1.0)),
    direction=dict(aspp, loss=dict(type='ChannelDirectionLoss', loss_weight=0.4)),
)
model = dict(type='SegDistiller', student=_base_.student, teacher=_base_.teacher, terms=terms)
