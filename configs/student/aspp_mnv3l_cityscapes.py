"""MobileNetV3-Large at stride 8 on Cityscapes at half size, with ASPP in PSP's place."""

_base_ = './psp_mnv3l_cityscapes.py'
model = dict(decode_head=dict(type='ASPPHead', dilations=(1, 2, 3, 6)))
