"""ResNet-50 at stride 8 on Cityscapes at half size, with OCR in PSP's place."""

_base_ = [
    '../_base_/students/psp_r50.py',
    '../_base_/datasets/cityscapes_half.py',
    '../_base_/schedules/sgd_poly_50e.py',
    '../_base_/runtime.py',
]
_base_.student.data_preprocessor = _base_.preprocessor
_base_.student.decode_head.num_classes = _base_.num_classes
_base_.student.auxiliary_head.num_classes = _base_.num_classes
# The auxiliary head's classes are the soft object regions, to whose features each pixel attends.
ocr = dict(_base_.student.decode_head, type='OCRHead', ocr_channels=256)
_base_.student.update(
    type='CascadeEncoderDecoder',
    num_stages=2,
    decode_head=[_base_.student.auxiliary_head, ocr],
    auxiliary_head=None,
)
model = _base_.student
