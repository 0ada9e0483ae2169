"""PSPNet with MobileNetV2 at stride 8, less its last 1x1 conv."""

_base_ = './psp_r18.py'
student = dict(
    backbone=dict(arch='mobilenet_v2', taps=('high', 'last')),
    decode_head=dict(in_channels=320),
    auxiliary_head=dict(in_channels=96),
)
