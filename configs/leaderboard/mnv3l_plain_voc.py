"""The baseline on VOC: MobileNetV3-Large from pretrained features, on the labels alone."""

_base_ = [
    '../_base_/students/mnv3l_fcn.py',
    '../_base_/datasets/voc_7_small.py',
    '../_base_/schedules/adamw_poly_8e.py',
    '../_base_/runtime.py',
]
_base_.student.backbone.weights = 'weights/mobilenet_v3_large_rvm_features.pth'
_base_.student.decode_head.num_classes = _base_.num_classes
_base_.student.decode_head.loss_decode.avg_non_ignore = True
model = dict(data_preprocessor=_base_.preprocessor, **_base_.student)

max_epochs = 3
optim_wrapper = dict(
    optimizer=dict(lr=3e-3), paramwise_cfg=dict(custom_keys=dict(backbone=dict(lr_mult=0.1)))
)
param_scheduler = dict(end=max_epochs)
train_cfg = dict(max_epochs=max_epochs, val_interval=max_epochs)
default_hooks = dict(checkpoint=dict(interval=1))
