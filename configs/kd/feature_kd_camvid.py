"""The slim student on CamVid learns from the features of ResNet-50."""

_base_ = [
    '../student/mnv3s_slim_camvid.py',
    '../_base_/teachers/aspp_r50.py',
    '../_base_/terms/feature.py',
]
_base_.teacher.model.decode_head.num_classes = _base_.num_classes
_base_.teacher.checkpoint = 'work_dirs/aspp_r50_camvid/best.pth'
model = dict(
    _delete_=True,
    type='SegDistiller',
    student=_base_.model,
    teacher=_base_.teacher,
    terms=_base_.terms,
)
