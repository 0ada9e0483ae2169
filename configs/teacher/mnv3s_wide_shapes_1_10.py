"""The teacher of the first run: MobileNetV3-Small with a wide decoder on all 80 labels."""

_base_ = [
    '../_base_/teachers/mnv3s_wide.py',
    '../_base_/datasets/shapes_1_10.py',
    '../_base_/schedules/adamw_poly_30e.py',
    '../_base_/runtime.py',
]
_base_.teacher.model.decode_head.num_classes = _base_.num_classes
_base_.teacher.model.data_preprocessor = _base_.preprocessor
model = _base_.teacher.model
train_dataloader = dict(dataset=dict(_delete_=True, **_base_.train_scenes))
train_cfg = dict(max_epochs=34, val_interval=34)
param_scheduler = dict(end=34)
