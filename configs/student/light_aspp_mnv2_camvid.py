"""MobileNetV2 at stride 8 on CamVid, with light ASPP in PSP's place."""

_base_ = './psp_mnv2_camvid.py'
# Its 1x1 branch stands for dilation 1, as in mmseg's ASPP.
model = dict(decode_head=dict(type='LightASPPHead', dilations=(2, 3, 6)))
