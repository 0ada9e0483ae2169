"""MobileNetV2 at stride 8 on Cityscapes at half size, with light OCR in PSP's place."""

_base_ = './psp_mnv2_cityscapes.py'
model = dict(decode_head=dict(type='LightOCRHead', ocr_channels=64))
