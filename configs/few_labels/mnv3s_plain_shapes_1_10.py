"""The plain student of the first run: MobileNetV3-Small on the 8 images with labels."""

_base_ = [
    '../_base_/students/mnv3s_slim.py',
    '../_base_/datasets/shapes_1_10.py',
    '../_base_/schedules/adamw_poly_30e.py',
    '../_base_/runtime.py',
]
_base_.student.data_preprocessor = _base_.preprocessor
_base_.student.decode_head.num_classes = _base_.num_classes
model = _base_.student
