"""MobileNetV4-Small with the pico head on CamVid from random weights, by this folder's recipe."""

_base_ = [
    '../_base_/students/mnv4s_pico.py',
    '../_base_/datasets/camvid_small.py',
    '../_base_/schedules/adamw_poly_20e.py',
    '../_base_/runtime.py',
]
_base_.student.data_preprocessor = _base_.preprocessor
_base_.student.decode_head.num_classes = _base_.num_classes
model = _base_.student
train_cfg = dict(val_interval=20)
