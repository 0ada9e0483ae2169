"""MobileNetV4-Small at stride 32 with the head of mnv3s_pico.py: 1,889,589 parameters."""

_base_ = './mnv3s_pico.py'
student = dict(
    backbone=dict(_delete_=True, type='TimmTapBackbone', arch='mobilenetv4_conv_small'),
    decode_head=dict(in_channels=[96, 64, 960], skip_channels=(32, 32)),
)
