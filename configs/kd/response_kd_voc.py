"""The slim student on VOC 2012 learns from the responses of FCN-ResNet50."""

_base_ = [
    '../student/mnv3s_slim_voc.py',
    '../_base_/teachers/fcn_r50.py',
    '../_base_/terms/response.py',
]
_base_.terms.logits.teacher = 'classifier'  # as torchvision calls it
model = dict(
    _delete_=True,
    type='SegDistiller',
    student=_base_.model,
    teacher=_base_.teacher,
    terms=_base_.terms,
)
