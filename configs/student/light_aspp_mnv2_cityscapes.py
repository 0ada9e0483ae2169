"""MobileNetV2 at stride 8 on Cityscapes at half size, with light ASPP in PSP's place."""

_base_ = [
    '../_base_/students/psp_mnv2.py',
    '../_base_/datasets/cityscapes_half.py',
    '../_base_/schedules/sgd_poly_50e.py',
    '../_base_/runtime.py',
]
_base_.student.data_preprocessor = _base_.preprocessor
_base_.student.decode_head.num_classes = _base_.num_classes
_base_.student.auxiliary_head.num_classes = _base_.num_classes
# Its 1x1 branch stands for dilation 1, as in mmseg's ASPP.
_base_.student.decode_head.update(type='LightASPPHead', dilations=(2, 3, 6))
model = _base_.student
