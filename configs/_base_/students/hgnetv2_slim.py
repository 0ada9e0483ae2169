"""HGNetV2-B0 with the head of repvit_slim.py, its ASPP separable: 2,555,985 parameters."""

_base_ = './repvit_slim.py'
student = dict(
    backbone=dict(arch='hgnetv2_b0'),
    decode_head=dict(in_channels=[512, 256, 64, 1024], separable_aspp=True),
)
