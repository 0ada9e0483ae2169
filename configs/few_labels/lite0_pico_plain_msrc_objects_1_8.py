"""EfficientNet-Lite0 on 34 labelled images of MSRC-v2, in classes that the teacher of VOC knows."""

_base_ = [
    '../_base_/students/lite0_pico.py',
    '../_base_/datasets/msrc_v2_objects_1_8.py',
    '../_base_/runtime_iterations.py',
    '../_base_/schedules/adamw_poly_1600i.py',
]
_base_.student.decode_head.num_classes = _base_.num_classes
model = dict(data_preprocessor={**_base_.preprocessor, **_base_.normalisation}, **_base_.student)
optim_wrapper = dict(
    optimizer=dict(lr=1e-3), paramwise_cfg=dict(custom_keys=dict(backbone=dict(lr_mult=0.1)))
)
