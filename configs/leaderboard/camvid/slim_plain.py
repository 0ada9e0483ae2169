"""The baseline on CamVid: the slim student, from scratch, on the labels alone."""

_base_ = [
    '../../_base_/students/mnv3s_slim.py',
    '../../_base_/datasets/camvid.py',
    '../../_base_/schedules/adamw_poly_20e.py',
    '../../_base_/runtime.py',
]
crop_size = (160, 224)
train_dataloader = dict(
    dataset=dict(
        pipeline=[
            *_base_.load_seeded,
            dict(
                type='RandomResizeCropFlip',
                scale=(480, 360),
                ratio_range=(0.5, 1.5),
                crop_size=crop_size,
                cat_max_ratio=0.75,
            ),
            *_base_.distort_and_pack,
        ]
    )
)
_base_.student.decode_head.num_classes = _base_.num_classes
_base_.student.decode_head.loss_decode.avg_non_ignore = False
_base_.preprocessor.size = crop_size
model = dict(data_preprocessor=_base_.preprocessor, **_base_.student)

max_epochs = 12
optim_wrapper = dict(optimizer=dict(lr=1e-3))
param_scheduler = dict(end=max_epochs)
train_cfg = dict(max_epochs=max_epochs, val_interval=max_epochs)
default_hooks = dict(checkpoint=dict(interval=2))
custom_hooks = [*_base_.custom_hooks, dict(type='ClassWeightHook')]
