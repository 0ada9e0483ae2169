"""MobileNetV2 without its last 1x1 conv, with the head of mnv3s_slim.py: 2,746,709 parameters."""

_base_ = './mnv3s_slim.py'
student = dict(
    backbone=dict(arch='mobilenet_v2', taps=('low', 'mid', 'last'), weights='hub'),
    decode_head=dict(in_channels=[32, 24, 320], in_index=[1, 0, 2]),
)
