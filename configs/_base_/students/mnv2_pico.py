"""MobileNetV2 at stride 32 without its last conv, head of mnv3s_pico.py: 2,103,173 parameters."""

_base_ = './mnv3s_pico.py'
student = dict(
    backbone=dict(arch='mobilenet_v2', taps=('mid', 'high', 'last'), weights='hub'),
    decode_head=dict(in_channels=[96, 32, 320], in_index=[1, 0, 2]),
)
