"""EfficientViT-B0 with the head of repvit_slim.py: 1,150,117 parameters."""

_base_ = './repvit_slim.py'
student = dict(
    backbone=dict(arch='efficientvit_b0'),
    decode_head=dict(in_channels=[64, 32, 16, 128]),
)
