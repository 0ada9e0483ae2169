"""The teacher ResNet-50 with a light ASPP on CamVid."""

_base_ = [
    '../_base_/teachers/aspp_r50.py',
    '../_base_/datasets/camvid.py',
    '../_base_/schedules/adamw_poly_20e.py',
    '../_base_/runtime.py',
]
_base_.teacher.model.decode_head.num_classes = _base_.num_classes
_base_.teacher.model.data_preprocessor = _base_.preprocessor
model = _base_.teacher.model
optim_wrapper = dict(optimizer=dict(lr=2e-4))  # of a pretrained trunk
