"""The teacher ResNet-18 with a light ASPP on the shapes data set."""

_base_ = [
    '../_base_/teachers/aspp_r18.py',
    '../_base_/datasets/shapes.py',
    '../_base_/schedules/adamw_poly_20e.py',
    '../_base_/runtime.py',
]
_base_.teacher.model.decode_head.num_classes = _base_.num_classes
_base_.teacher.model.data_preprocessor = _base_.preprocessor
model = _base_.teacher.model
