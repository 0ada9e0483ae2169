"""The slim MobileNetV3-Small student on MSRC-v2, trained on the labels alone."""

_base_ = [
    '../_base_/students/mnv3s_slim.py',
    '../_base_/datasets/msrc_v2.py',
    '../_base_/schedules/adamw_poly_20e.py',
    '../_base_/runtime.py',
]
_base_.student.data_preprocessor = _base_.preprocessor
_base_.student.decode_head.num_classes = _base_.num_classes
model = _base_.student
