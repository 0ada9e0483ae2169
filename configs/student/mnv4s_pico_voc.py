"""MobileNetV4-Small with the pico head on VOC 2012, trained on the labels alone."""

_base_ = [
    '../_base_/students/mnv4s_pico.py',
    '../_base_/datasets/voc.py',
    '../_base_/schedules/adam_plateau_50e.py',
    '../_base_/runtime.py',
]
_base_.student.data_preprocessor = _base_.preprocessor
_base_.student.backbone.weights = 'hub'  # ImageNet's, by timm; None for none
_base_.student.decode_head.num_classes = _base_.num_classes
model = _base_.student
