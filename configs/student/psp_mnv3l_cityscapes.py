"""PSPNet with MobileNetV3-Large on Cityscapes at half size."""

_base_ = [
    '../_base_/students/psp_mnv3l.py',
    '../_base_/datasets/cityscapes_half.py',
    '../_base_/schedules/sgd_poly_50e.py',
    '../_base_/runtime.py',
]
_base_.student.data_preprocessor = _base_.preprocessor
_base_.student.decode_head.num_classes = _base_.num_classes
_base_.student.auxiliary_head.num_classes = _base_.num_classes
model = _base_.student
