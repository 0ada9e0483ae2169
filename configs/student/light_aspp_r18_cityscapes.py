"""ResNet-18 at stride 8 on Cityscapes at half size, with light ASPP in PSP's place."""

_base_ = './psp_r18_cityscapes.py'
# Its 1x1 branch stands for dilation 1, as in mmseg's ASPP.
model = dict(decode_head=dict(type='LightASPPHead', dilations=(2, 3, 6)))
