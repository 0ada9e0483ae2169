"""The slim student on CamVid learns from DeepLabV3's features of its crops."""

_base_ = [
    '../_base_/students/mnv3s_slim.py',
    '../_base_/teachers/deeplabv3_mnv2.py',
    '../_base_/datasets/camvid_small.py',
    '../_base_/schedules/adamw_poly_8e.py',
    '../_base_/runtime.py',
]
_base_.student.data_preprocessor = _base_.preprocessor
_base_.student.decode_head.num_classes = _base_.num_classes
_base_.student.decode_head.loss_decode.avg_non_ignore = False  # mmseg's cannot be with weights
_base_.teacher.model.decode_head.num_classes = _base_.num_classes
_base_.teacher.checkpoint = 'work_dirs/deeplabv3_mnv2_camvid/best.pth'
cosine = dict(type='CosineFeatureLoss', loss_weight=0.1)
final_cosine = dict(type='CosineFeatureLoss', loss_weight=0.5)
terms = dict(
    mid=dict(student='backbone.mid', teacher='backbone.mid', adapter='auto', loss=cosine),
    high=dict(student='backbone.high', teacher='backbone.high', adapter='auto', loss=cosine),
    final=dict(
        student='backbone.final', teacher='backbone.last', adapter='auto', loss=final_cosine
    ),
)
model = dict(type='SegDistiller', student=_base_.student, teacher=_base_.teacher, terms=terms)
optim_wrapper = dict(optimizer=dict(lr=3e-3))
train_cfg = dict(val_interval=8)
default_hooks = dict(checkpoint=dict(interval=1))
custom_hooks = [*_base_.custom_hooks, dict(type='ClassWeightHook')]
