"""MobileNetV4-Small on CamVid from random weights, by the recipe of all in this folder."""

_base_ = [
    '../_base_/students/mnv4s_slim.py',
    '../_base_/datasets/camvid_small.py',
    '../_base_/schedules/adamw_poly_20e.py',
    '../_base_/runtime.py',
]
_base_.student.data_preprocessor = _base_.preprocessor
_base_.student.decode_head.num_classes = _base_.num_classes
model = _base_.student
train_cfg = dict(val_interval=20)
