"""A pretrained MobileNetV3-Small, which nobody offers: it learns DeepLabV3's features, no labels.

A student starts from it with model.backbone.weights=work_dirs/mnv3s_backbone/epoch_8.pth
"""

_base_ = [
    '../_base_/datasets/images.py',
    '../_base_/students/mnv3s_backbone.py',
    '../_base_/teachers/deeplabv3_mnv2.py',
    '../_base_/schedules/adamw_poly_8e.py',
    '../_base_/runtime.py',
]
_base_.student.data_preprocessor = _base_.preprocessor
like = dict(adapter='auto', loss=dict(type='CosineSmoothL1Loss', loss_weight=1.0))
terms = dict(
    mid=dict(student='backbone.mid', teacher='backbone.mid', **like),
    high=dict(student='backbone.high', teacher='backbone.high', **like),
    final=dict(student='backbone.final', teacher='backbone.last', **like),
)
model = dict(type='SegDistiller', student=_base_.student, teacher=_base_.teacher, terms=terms)
# It learns from data sets of different classes, and no labels.
custom_hooks = [hook for hook in _base_.custom_hooks if hook['type'] != 'LabelCheckHook']
val_cfg = test_cfg = None
default_hooks = dict(checkpoint=dict(interval=1, save_best=None))
