"""The baseline with few labels: MobileNetV3-Large on 34 labelled images of MSRC-v2, 21 classes."""

_base_ = [
    '../_base_/students/mnv3l_fcn.py',
    '../_base_/datasets/msrc_v2_1_8.py',
    '../_base_/runtime_iterations.py',
    '../_base_/schedules/adamw_poly_1600i.py',
]
_base_.student.backbone.weights = 'weights/mobilenet_v3_large_rvm_features.pth'
_base_.student.decode_head.num_classes = _base_.num_classes
_base_.student.decode_head.loss_decode.avg_non_ignore = True
model = dict(data_preprocessor=_base_.preprocessor, **_base_.student)
optim_wrapper = dict(
    optimizer=dict(lr=1e-3), paramwise_cfg=dict(custom_keys=dict(backbone=dict(lr_mult=0.1)))
)
