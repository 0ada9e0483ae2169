"""mmseg's LR-ASPP on its MobileNetV3-Large, logits at stride 2: 3,284,805 parameters.

As in mmseg's configs/_base_/models/lraspp_m-v3-d8.py. Its head pools 49 x 49 features of stride 8,
so that it takes no image with a side of less than 385 pixels.
"""

norm_cfg = dict(type='BN', eps=0.001)
peer = dict(
    type='EncoderDecoder',
    data_preprocessor=dict(
        type='SegDataPreProcessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
        pad_val=0,
        seg_pad_val=255,
    ),
    backbone=dict(type='MobileNetV3', arch='large', out_indices=(1, 3, 16), norm_cfg=norm_cfg),
    decode_head=dict(
        type='LRASPPHead',
        in_channels=(16, 24, 960),
        in_index=(0, 1, 2),
        channels=128,
        input_transform='multiple_select',
        num_classes=21,
        norm_cfg=norm_cfg,
        act_cfg=dict(type='ReLU'),
        loss_decode=dict(type='CrossEntropyLoss', avg_non_ignore=True),
    ),
)
