"""mmseg's ResNet-50 at stride 16 with a light ASPP, to be trained on the data at hand."""

_base_ = './imagenet_rgb.py'

teacher = dict(
    model=dict(
        backbone=dict(
            type='ResNet',
            depth=50,
            strides=(1, 2, 2, 1),
            dilations=(1, 1, 1, 2),
            contract_dilation=True,
            init_cfg=dict(type='Pretrained', checkpoint='torchvision://resnet50'),
        ),
        decode_head=dict(
            type='LightASPPHead',
            in_channels=[256, 2048],
            in_index=[0, 3],
            channels=128,
            skip_channels=(48,),
            num_convs=1,
            num_classes=21,
            loss_decode=dict(type='CrossEntropyLoss', avg_non_ignore=True),
        ),
    ),
)
