"""MobileNetV3-Small, separable ASPP 128, a depthwise step at stride 8: 1,324,821 parameters."""

student = dict(
    type='EncoderDecoder',
    backbone=dict(type='TorchvisionTapBackbone', arch='mobilenet_v3_small', output_stride=16),
    decode_head=dict(
        type='DepthwiseDecoderHead',
        in_channels=[24, 576],
        in_index=[1, 3],
        channels=128,
        dilations=(6, 12),
        separable_aspp=True,
        skip_channels=(32,),
        num_convs=1,
        dropout_ratio=0.1,
        num_classes=21,
        loss_decode=dict(type='CrossEntropyLoss', avg_non_ignore=True),
    ),
    test_cfg=dict(mode='whole'),
)
