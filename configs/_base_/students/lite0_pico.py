"""EfficientNet-Lite0 at stride 32 with the head of mnv3s_pico.py: 3,247,317 parameters.

Its normalisation is not that of the data sets:
``data_preprocessor={**_base_.preprocessor, **_base_.normalisation}`` in the model.
"""

_base_ = './mnv3s_pico.py'
normalisation = dict(mean=[127.5, 127.5, 127.5], std=[127.5, 127.5, 127.5], bgr_to_rgb=True)
student = dict(
    backbone=dict(
        _delete_=True,
        type='TimmTapBackbone',
        arch='tf_efficientnet_lite0',
        weights='weights/efficientnet_lite0_imagenet_timm.pth',
    ),
    decode_head=dict(in_channels=[112, 40, 320], skip_channels=(32, 32)),
)
