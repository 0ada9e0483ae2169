"""The slim student on VOC 2012 learns from the features of FCN-ResNet50."""

_base_ = [
    '../student/mnv3s_slim_voc.py',
    '../_base_/teachers/fcn_r50.py',
    '../_base_/terms/feature.py',
]
model = dict(
    _delete_=True,
    type='SegDistiller',
    student=_base_.model,
    teacher=_base_.teacher,
    terms=_base_.terms,
)
