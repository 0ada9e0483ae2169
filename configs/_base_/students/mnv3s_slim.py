"""MobileNetV3-Small, ASPP 128, a depthwise decoder at strides 8 and 4: 2,516,853 parameters."""

student = dict(
    type='EncoderDecoder',
    backbone=dict(type='TorchvisionTapBackbone', arch='mobilenet_v3_small', output_stride=16),
    decode_head=dict(
        type='DepthwiseDecoderHead',
        in_channels=[24, 16, 576],
        in_index=[1, 0, 3],
        channels=128,
        dilations=(6, 12),
        skip_channels=(32, 32),
        num_convs=1,
        dropout_ratio=0.1,
        num_classes=21,
        loss_decode=dict(type='CrossEntropyLoss', avg_non_ignore=True),
    ),
    test_cfg=dict(mode='whole'),
)
