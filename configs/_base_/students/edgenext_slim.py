"""EdgeNeXt-X-Small with the head of repvit_slim.py: 2,777,457 parameters."""

_base_ = './repvit_slim.py'
student = dict(
    backbone=dict(arch='edgenext_x_small'),
    decode_head=dict(in_channels=[100, 64, 32, 192]),
)
