"""torchvision's DeepLabV3-ResNet50 on VOC 2012."""

_base_ = [
    '../_base_/teachers/deeplabv3_r50.py',
    '../_base_/datasets/voc.py',
    '../_base_/schedules/adam_plateau_50e.py',
    '../_base_/runtime.py',
]
_base_.teacher.model.data_preprocessor = _base_.preprocessor
model = _base_.teacher.model
