"""MobileNetV3-Large with a dilated conv on VOC 2012, trained on the labels, classes weighted."""

_base_ = [
    '../_base_/students/mnv3l_fcn.py',
    '../_base_/datasets/voc.py',
    '../_base_/schedules/adam_plateau_50e.py',
    '../_base_/runtime.py',
]
_base_.student.data_preprocessor = _base_.preprocessor
_base_.student.decode_head.num_classes = _base_.num_classes
model = _base_.student
custom_hooks = [*_base_.custom_hooks, dict(type='ClassWeightHook')]
