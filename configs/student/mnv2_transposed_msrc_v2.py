"""MobileNetV2 with transposed convs on MSRC-v2; scored by pixel accuracy."""

_base_ = [
    '../_base_/students/mnv2_transposed.py',
    '../_base_/datasets/msrc_v2.py',
    '../_base_/schedules/adam_plateau_50e.py',
    '../_base_/runtime.py',
]
_base_.student.data_preprocessor = _base_.preprocessor
_base_.student.decode_head.num_classes = _base_.num_classes
model = _base_.student
optim_wrapper = dict(optimizer=dict(lr=1e-3, weight_decay=0))
param_scheduler = dict(monitor='aAcc')
default_hooks = dict(checkpoint=dict(save_best='aAcc'))
custom_hooks = [*_base_.custom_hooks, dict(type='FreezeHook', first=50, norm_stats='keep')]
