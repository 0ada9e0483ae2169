"""The nano MobileNetV3-Small student on CamVid, trained on the labels alone."""

_base_ = [
    '../_base_/students/mnv3s_nano.py',
    '../_base_/datasets/camvid.py',
    '../_base_/schedules/adamw_poly_20e.py',
    '../_base_/runtime.py',
]
_base_.student.data_preprocessor = _base_.preprocessor
_base_.student.decode_head.num_classes = _base_.num_classes
model = _base_.student
