"""DeepLabV3 with MobileNetV2 at stride 16 and an ASPP of image pooling and 1x1 alone."""

_base_ = './imagenet_rgb.py'

teacher = dict(
    model=dict(
        backbone=dict(
            type='TorchvisionTapBackbone',
            arch='mobilenet_v2',
            output_stride=16,
            taps=('mid', 'high', 'last'),
        ),
        decode_head=dict(
            type='LightASPPHead',
            in_channels=320,
            in_index=2,
            channels=256,
            dilations=(),
            num_classes=21,
            loss_decode=dict(type='CrossEntropyLoss', avg_non_ignore=True),
        ),
    ),
    checkpoint='weights/deeplabv3_mnv2_voc.pth',
)
