"""ResNet-50 at stride 8 on Cityscapes at half size, with ASPP in PSP's place."""

_base_ = [
    '../_base_/students/psp_r50.py',
    '../_base_/datasets/cityscapes_half.py',
    '../_base_/schedules/sgd_poly_50e.py',
    '../_base_/runtime.py',
]
_base_.student.data_preprocessor = _base_.preprocessor
_base_.student.decode_head.num_classes = _base_.num_classes
_base_.student.auxiliary_head.num_classes = _base_.num_classes
_base_.student.decode_head.update(type='ASPPHead', dilations=(1, 2, 3, 6))
model = _base_.student
