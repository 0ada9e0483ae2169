"""MobileNetV3-Small with ASPP 256 and a dense decoder at stride 4: 6,831,509 parameters."""

student = dict(
    type='EncoderDecoder',
    backbone=dict(type='TorchvisionTapBackbone', arch='mobilenet_v3_small', output_stride=16),
    decode_head=dict(
        type='LightASPPHead',
        in_channels=[16, 576],
        in_index=[0, 3],
        channels=256,
        dilations=(6, 12, 18),
        skip_channels=(48,),
        num_convs=2,
        dropout_ratio=0.5,
        num_classes=21,
        loss_decode=dict(type='CrossEntropyLoss', avg_non_ignore=True),
    ),
    test_cfg=dict(mode='whole'),
)
