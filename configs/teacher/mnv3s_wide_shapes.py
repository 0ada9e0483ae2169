"""The teacher MobileNetV3-Small with a wide decoder on shapes, trained longer than students."""

_base_ = [
    '../_base_/teachers/mnv3s_wide.py',
    '../_base_/datasets/shapes.py',
    '../_base_/schedules/adamw_poly_8e.py',
    '../_base_/runtime.py',
]
_base_.teacher.model.decode_head.num_classes = _base_.num_classes
_base_.teacher.model.data_preprocessor = _base_.preprocessor
model = _base_.teacher.model
train_cfg = dict(max_epochs=12, val_interval=6)
param_scheduler = dict(end=12)
