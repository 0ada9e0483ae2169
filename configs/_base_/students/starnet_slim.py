"""StarNet-S1 with the head of repvit_slim.py: 3,308,925 parameters."""

_base_ = './repvit_slim.py'
student = dict(
    backbone=dict(arch='starnet_s1'),
    decode_head=dict(in_channels=[96, 48, 24, 192]),
)
