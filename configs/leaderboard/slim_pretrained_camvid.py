"""The baseline on CamVid from a distilled backbone: configs/pretrain/mnv3s_backbone.py."""

_base_ = [
    '../_base_/students/mnv3s_slim.py',
    '../_base_/datasets/camvid_small.py',
    '../_base_/schedules/adamw_poly_8e.py',
    '../_base_/runtime.py',
]
_base_.student.data_preprocessor = _base_.preprocessor
_base_.student.backbone.weights = 'work_dirs/mnv3s_backbone/epoch_8.pth'
_base_.student.decode_head.num_classes = _base_.num_classes
_base_.student.decode_head.loss_decode.avg_non_ignore = False  # mmseg's cannot be with weights
model = _base_.student
optim_wrapper = dict(optimizer=dict(lr=3e-3))
train_cfg = dict(val_interval=8)
default_hooks = dict(checkpoint=dict(interval=1))
custom_hooks = [*_base_.custom_hooks, dict(type='ClassWeightHook')]
