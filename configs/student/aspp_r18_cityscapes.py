"""ResNet-18 at stride 8 on Cityscapes at half size, with ASPP in PSP's place."""

_base_ = './psp_r18_cityscapes.py'
model = dict(decode_head=dict(type='ASPPHead', dilations=(1, 2, 3, 6)))
