"""mmseg's Fast-SCNN on CamVid from random weights, by the recipe of all in this folder.

As in mmseg's own config, but its heads learn by the softmax, as the other models do, instead of a
sigmoid for each class.
"""

_base_ = [
    '../_base_/datasets/camvid_small.py',
    '../_base_/schedules/adamw_poly_20e.py',
    '../_base_/runtime.py',
]
norm_cfg = dict(type='BN', momentum=0.01)
head = dict(num_classes=_base_.num_classes, norm_cfg=norm_cfg, concat_input=False)
auxiliary = dict(
    type='FCNHead',
    channels=32,
    num_convs=1,
    loss_decode=dict(type='CrossEntropyLoss', avg_non_ignore=True, loss_weight=0.4),
    **head,
)
model = dict(
    type='EncoderDecoder',
    data_preprocessor=_base_.preprocessor,
    backbone=dict(type='FastSCNN', norm_cfg=norm_cfg),
    decode_head=dict(
        type='DepthwiseSeparableFCNHead',
        in_channels=128,
        channels=128,
        loss_decode=dict(type='CrossEntropyLoss', avg_non_ignore=True),
        **head,
    ),
    auxiliary_head=[
        dict(in_channels=128, in_index=-2, **auxiliary),
        dict(in_channels=64, in_index=-3, **auxiliary),
    ],
    test_cfg=dict(mode='whole'),
)
train_cfg = dict(val_interval=20)
