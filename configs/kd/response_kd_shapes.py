"""The slim student on the shapes data set learns from the responses of ResNet-18."""

_base_ = [
    '../student/mnv3s_slim_shapes.py',
    '../_base_/teachers/aspp_r18.py',
    '../_base_/terms/response.py',
]
_base_.teacher.model.decode_head.num_classes = _base_.num_classes
_base_.teacher.checkpoint = 'work_dirs/aspp_r18_shapes/best.pth'
model = dict(
    _delete_=True,
    type='SegDistiller',
    student=_base_.model,
    teacher=_base_.teacher,
    terms=_base_.terms,
)
