"""MobileNetV3-Large at stride 16, a 1x1 conv and one 3x3 with dilation 6: 3,813,957 parameters."""

student = dict(
    type='EncoderDecoder',
    backbone=dict(
        type='TorchvisionTapBackbone',
        arch='mobilenet_v3_large',
        output_stride=16,
        weights='hub',
    ),
    decode_head=dict(
        type='DilatedFCNHead',
        in_channels=960,
        in_index=3,
        channels=256,
        dilation=6,
        dropout_ratio=0.1,
        num_classes=21,
        loss_decode=dict(type='CrossEntropyLoss'),
    ),
    test_cfg=dict(mode='whole'),
)
