"""MobileNetV2 at stride 8 on CamVid, with ASPP in PSP's place."""

_base_ = './psp_mnv2_camvid.py'
model = dict(decode_head=dict(type='ASPPHead', dilations=(1, 2, 3, 6)))
