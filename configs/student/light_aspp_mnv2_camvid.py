"""MobileNetV2 at stride 8 on CamVid, with light ASPP in PSP's place."""

_base_ = './psp_mnv2_camvid.py'
model = dict(decode_head=dict(type='LightASPPHead', dilations=(1, 2, 3, 6)))
