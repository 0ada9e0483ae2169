"""MobileNetV3-Small without a task. mmseg wants a head: one conv, whose loss counts nothing."""

student = dict(
    type='EncoderDecoder',
    backbone=dict(type='TorchvisionTapBackbone', arch='mobilenet_v3_small', output_stride=16),
    decode_head=dict(
        type='FCNHead',
        in_channels=576,
        channels=576,
        in_index=3,
        num_convs=0,
        concat_input=False,
        num_classes=23,
        loss_decode=dict(type='CrossEntropyLoss', loss_weight=0.0, avg_non_ignore=True),
    ),
)
