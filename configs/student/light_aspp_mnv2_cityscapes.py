"""MobileNetV2 at stride 8 on Cityscapes at half size, with light ASPP in PSP's place."""

_base_ = './psp_mnv2_cityscapes.py'
model = dict(decode_head=dict(type='LightASPPHead', dilations=(1, 2, 3, 6)))
