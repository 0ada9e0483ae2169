"""MobileNetV4-Small with a slim head, its ASPP separable: 1,887,541 parameters."""

_base_ = './mnv3s_slim.py'
student = dict(
    backbone=dict(type='TimmTapBackbone', arch='mobilenetv4_conv_small'),
    decode_head=dict(in_channels=[64, 32, 960], separable_aspp=True),
)
