"""The slim student on the shapes data set learns from the features of a wider network."""

_base_ = [
    '../_base_/students/mnv3s_slim.py',
    '../_base_/teachers/mnv3s_wide.py',
    '../_base_/datasets/shapes.py',
    '../_base_/schedules/adamw_poly_8e.py',
    '../_base_/runtime.py',
]
_base_.student.data_preprocessor = _base_.preprocessor
_base_.student.decode_head.num_classes = _base_.num_classes
_base_.teacher.model.decode_head.num_classes = _base_.num_classes
_base_.teacher.checkpoint = 'work_dirs/mnv3s_wide_shapes/best.pth'
cosine = dict(type='CosineFeatureLoss', loss_weight=0.1)
final_cosine = dict(type='CosineFeatureLoss', loss_weight=0.5)
terms = dict(
    mid=dict(student='backbone.mid', teacher='backbone.mid', adapter='auto', loss=cosine),
    high=dict(student='backbone.high', teacher='backbone.high', adapter='auto', loss=cosine),
    final=dict(
        student='backbone.final', teacher='backbone.final', adapter='auto', loss=final_cosine
    ),
)
model = dict(type='SegDistiller', student=_base_.student, teacher=_base_.teacher, terms=terms)
