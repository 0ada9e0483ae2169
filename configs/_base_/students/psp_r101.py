"""PSPNet with ResNet-101 at stride 8."""

_base_ = './psp_r18.py'
student = dict(
    backbone=dict(arch='resnet101'),
    decode_head=dict(in_channels=2048, channels=512),
    auxiliary_head=dict(in_channels=1024, channels=256),
)
