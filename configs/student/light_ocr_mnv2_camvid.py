"""MobileNetV2 at stride 8 on CamVid, with light OCR in PSP's place."""

_base_ = './psp_mnv2_camvid.py'
model = dict(decode_head=dict(type='LightOCRHead', ocr_channels=64))
