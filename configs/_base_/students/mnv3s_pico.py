"""MobileNetV3-Small at stride 32, ASPP 128, steps to strides 16 and 8: 1,351,589 parameters."""

student = dict(
    type='EncoderDecoder',
    backbone=dict(type='TorchvisionTapBackbone', arch='mobilenet_v3_small'),
    decode_head=dict(
        type='DepthwiseDecoderHead',
        in_channels=[48, 24, 576],
        in_index=[2, 1, 3],
        channels=128,
        dilations=(3, 6),
        separable_aspp=True,
        skip_channels=(48, 32),
        num_convs=1,
        dropout_ratio=0.1,
        num_classes=21,
        loss_decode=dict(type='CrossEntropyLoss', avg_non_ignore=True),
    ),
    test_cfg=dict(mode='whole'),
)
