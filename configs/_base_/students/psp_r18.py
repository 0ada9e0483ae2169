"""PSPNet with ResNet-18 at stride 8: layer 3 dilated by 2, layer 4 by 4."""

student = dict(
    type='EncoderDecoder',
    backbone=dict(
        type='TorchvisionTapBackbone',
        arch='resnet18',
        output_stride=8,
        taps=('high', 'final'),  # layers 3 and 4
        weights='hub',
    ),
    decode_head=dict(
        type='PSPHead',  # of bins 1, 2, 3 and 6
        in_channels=512,
        in_index=1,
        channels=128,
        dropout_ratio=0.1,
        norm_cfg=dict(type='BN'),
        num_classes=19,
        loss_decode=dict(type='CrossEntropyLoss', avg_non_ignore=True),
    ),
    auxiliary_head=dict(
        type='FCNHead',
        in_channels=256,
        in_index=0,
        channels=64,
        num_convs=1,
        concat_input=False,
        dropout_ratio=0.1,
        norm_cfg=dict(type='BN'),
        num_classes=19,
        loss_decode=dict(type='CrossEntropyLoss', avg_non_ignore=True, loss_weight=0.4),
    ),
    test_cfg=dict(mode='whole'),
)
