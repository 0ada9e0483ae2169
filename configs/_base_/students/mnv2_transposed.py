"""MobileNetV2 with five transposed convs: 5,571,063 parameters with MSRC-v2's 23 classes."""

student = dict(
    type='EncoderDecoder',
    backbone=dict(
        type='TorchvisionTapBackbone', arch='mobilenet_v2', taps=('final',), weights='hub'
    ),
    decode_head=dict(
        type='TransposedConvHead',
        in_channels=1280,
        in_index=0,
        widths=(256, 128, 64, 32, 32),
        dropout_ratio=0,
        num_classes=23,
        loss_decode=dict(type='CrossEntropyLoss', avg_non_ignore=True),
    ),
    test_cfg=dict(mode='whole'),
)
