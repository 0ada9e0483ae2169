"""ResNet-18 at stride 8 on Cityscapes at half size, with OCR in PSP's place."""

_base_ = './psp_r18_cityscapes.py'
# The auxiliary head's classes are the soft object regions, to whose features each pixel attends.
ocr = dict(_base_.model.decode_head, type='OCRHead', ocr_channels=64)
model = dict(
    type='CascadeEncoderDecoder',
    num_stages=2,
    decode_head=[_base_.model.auxiliary_head, ocr],
    auxiliary_head=None,
)
