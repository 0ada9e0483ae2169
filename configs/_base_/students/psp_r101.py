"""PSPNet with ResNet-101 at stride 8."""

_base_ = './psp_r50.py'
student = dict(backbone=dict(arch='resnet101'))
