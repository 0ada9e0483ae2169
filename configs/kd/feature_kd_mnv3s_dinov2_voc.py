"""The slim student on VOC 2012 learns from the features of DINOv2, which knows no classes."""

_base_ = [
    '../student/mnv3s_slim_voc.py',
    '../_base_/teachers/timm_dinov2.py',
    '../_base_/terms/feature.py',
]
_base_.terms.mid.teacher = 'backbone.mid'
_base_.terms.high.teacher = 'backbone.high'
_base_.terms.final.teacher = 'backbone.final'
model = dict(
    _delete_=True,
    type='SegDistiller',
    student=_base_.model,
    teacher=_base_.teacher,
    terms=_base_.terms,
)
