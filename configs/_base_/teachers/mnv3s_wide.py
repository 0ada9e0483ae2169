"""MobileNetV3-Small with a wide depthwise decoder: a teacher trained from scratch in minutes."""

teacher = dict(
    type='Teacher',
    model=dict(
        type='EncoderDecoder',
        data_preprocessor=dict(
            type='SegDataPreProcessor',
            mean=[123.675, 116.28, 103.53],
            std=[58.395, 57.12, 57.375],
            bgr_to_rgb=True,
        ),
        backbone=dict(type='TorchvisionTapBackbone', arch='mobilenet_v3_small', output_stride=16),
        decode_head=dict(
            type='DepthwiseDecoderHead',
            in_channels=[24, 16, 576],
            in_index=[1, 0, 3],
            channels=256,
            dilations=(6, 12),
            skip_channels=(32, 32),
            num_convs=1,
            num_classes=8,
            loss_decode=dict(type='CrossEntropyLoss', avg_non_ignore=True),
        ),
        test_cfg=dict(mode='whole'),
    ),
    checkpoint=None,
)
