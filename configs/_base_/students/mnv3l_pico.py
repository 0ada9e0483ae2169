"""MobileNetV3-Large at stride 32 with the head of mnv3s_pico.py: 3,603,637 parameters."""

_base_ = './mnv3s_pico.py'
student = dict(
    backbone=dict(arch='mobilenet_v3_large'),
    decode_head=dict(in_channels=[112, 40, 960]),
)
