"""The slim student on MSRC-v2 learns features from a DeepLabV3 of VOC 2012's classes."""

_base_ = [
    './slim_plain_msrc.py',
    '../_base_/teachers/deeplabv3_mnv2.py',
    '../_base_/terms/feature.py',
]
_base_.terms.mid.teacher = 'backbone.mid'
_base_.terms.high.teacher = 'backbone.high'
_base_.terms.final.teacher = 'backbone.last'
model = dict(
    _delete_=True,
    type='SegDistiller',
    student=_base_.model,
    teacher=_base_.teacher,
    terms=_base_.terms,
)
