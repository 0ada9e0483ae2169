"""PSPNet with ResNet-18 on Cityscapes at half size learns from the responses of SegFormer-B2."""

_base_ = [
    '../_base_/students/psp_r18.py',
    '../_base_/teachers/segformer_hf.py',
    '../_base_/datasets/cityscapes_half.py',
    '../_base_/schedules/sgd_poly_50e.py',
    '../_base_/runtime.py',
]
_base_.student.data_preprocessor = _base_.preprocessor
_base_.student.decode_head.num_classes = _base_.num_classes
_base_.student.auxiliary_head.num_classes = _base_.num_classes
_base_.teacher.model.num_classes = _base_.num_classes
_base_.teacher.input_scale = 2.0  # it learnt from images at full size
terms = dict(
    logits=dict(
        student='decode_head.conv_seg',
        teacher='logits',
        loss=dict(type='PixelKLLoss', temperature=2.0, loss_weight=1.0),
    )
)
model = dict(type='SegDistiller', student=_base_.student, teacher=_base_.teacher, terms=terms)
