"""RepViT-M0.9 with a slim head on strides 32, 16, 8 and 4: 5,847,829 parameters.

timm cannot dilate this trunk. So the head starts at stride 32 with half the dilations of
mnv3s_slim.py, which starts at stride 16, and it has a decoder step more.
"""

student = dict(
    type='EncoderDecoder',
    backbone=dict(type='TimmTapBackbone', arch='repvit_m0_9'),
    decode_head=dict(
        type='DepthwiseDecoderHead',
        in_channels=[192, 96, 48, 384],
        in_index=[2, 1, 0, 3],
        channels=128,
        dilations=(3, 6),
        skip_channels=(32, 32, 32),
        num_convs=1,
        dropout_ratio=0.1,
        num_classes=21,
        loss_decode=dict(type='CrossEntropyLoss', avg_non_ignore=True),
    ),
    test_cfg=dict(mode='whole'),
)
