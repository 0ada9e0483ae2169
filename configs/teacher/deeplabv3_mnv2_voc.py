"""DeepLabV3 with MobileNetV2 on VOC 2012."""

_base_ = [
    '../_base_/teachers/deeplabv3_mnv2.py',
    '../_base_/datasets/voc.py',
    '../_base_/schedules/adam_plateau_50e.py',
    '../_base_/runtime.py',
]
_base_.teacher.model.data_preprocessor = _base_.preprocessor
model = _base_.teacher.model
