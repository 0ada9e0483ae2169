"""ResNet-18 with a light ASPP: a small teacher, trained from scratch in minutes."""

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
        backbone=dict(type='TorchvisionTapBackbone', arch='resnet18'),
        decode_head=dict(
            type='LightASPPHead',
            in_channels=[64, 512],
            in_index=[0, 3],
            channels=64,
            dilations=(2,),
            skip_channels=(32,),
            num_convs=1,
            num_classes=8,
            loss_decode=dict(type='CrossEntropyLoss', avg_non_ignore=True),
        ),
        test_cfg=dict(mode='whole'),
    ),
    checkpoint=None,
)
