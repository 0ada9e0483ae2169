"""EfficientNet-Lite0 with the head of mnv3s_slim.py, from ImageNet: 3,894,101 parameters.

Its normalisation is not that of the data sets:
``data_preprocessor={**_base_.preprocessor, **_base_.normalisation}`` in the model.
"""

normalisation = dict(mean=[127.5, 127.5, 127.5], std=[127.5, 127.5, 127.5], bgr_to_rgb=True)
student = dict(
    type='EncoderDecoder',
    backbone=dict(
        type='TimmTapBackbone',
        arch='tf_efficientnet_lite0',
        output_stride=16,
        weights='weights/efficientnet_lite0_imagenet_timm.pth',
    ),
    decode_head=dict(
        type='DepthwiseDecoderHead',
        in_channels=[40, 24, 320],
        in_index=[1, 0, 3],
        channels=128,
        dilations=(6, 12),
        skip_channels=(32, 32),
        num_convs=1,
        dropout_ratio=0.1,
        num_classes=21,
        loss_decode=dict(type='CrossEntropyLoss', avg_non_ignore=True),
    ),
    test_cfg=dict(mode='whole'),
)
