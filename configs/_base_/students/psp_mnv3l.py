"""PSPNet with MobileNetV3-Large at stride 8."""

_base_ = './psp_r18.py'
student = dict(
    backbone=dict(arch='mobilenet_v3_large'),
    decode_head=dict(in_channels=960),
    auxiliary_head=dict(in_channels=112),
)
