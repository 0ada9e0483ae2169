"""The baseline on VOC: MobileNetV3-Large from pretrained features, on the labels alone."""

_base_ = [
    '../../_base_/students/mnv3l_fcn.py',
    '../../_base_/datasets/voc_7.py',
    '../../_base_/schedules/adamw_poly_20e.py',
    '../../_base_/runtime.py',
]
crop_size = (208, 208)
train_dataloader = dict(
    batch_size=8,
    dataset=dict(
        pipeline=[
            *_base_.load_seeded,
            dict(
                type='RandomResizeCropFlip',
                scale=(2048, 320),
                ratio_range=(0.5, 1.5),
                crop_size=crop_size,
                cat_max_ratio=0.75,
            ),
            *_base_.distort_and_pack,
        ]
    ),
)
_base_.student.backbone.weights = 'weights/mobilenet_v3_large_rvm_features.pth'
_base_.student.decode_head.num_classes = _base_.num_classes
_base_.student.decode_head.loss_decode.avg_non_ignore = True
_base_.preprocessor.size = crop_size
model = dict(data_preprocessor=_base_.preprocessor, **_base_.student)

max_epochs = 4
optim_wrapper = dict(
    optimizer=dict(lr=1e-3), paramwise_cfg=dict(custom_keys=dict(backbone=dict(lr_mult=0.3)))
)
param_scheduler = dict(end=max_epochs)
train_cfg = dict(max_epochs=max_epochs, val_interval=max_epochs)
default_hooks = dict(checkpoint=dict(interval=1))
