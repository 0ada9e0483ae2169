"""MobileNetV3-Small with a wide depthwise decoder: a teacher trained from scratch in minutes."""

_base_ = './imagenet_rgb.py'

teacher = dict(
    model=dict(
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
    ),
)
