"""PSPNet with ResNet-18 on Cityscapes at half size learns from the responses of SegFormer-B2."""

_base_ = [
    '../student/psp_r18_cityscapes.py',
    '../_base_/teachers/segformer_hf.py',
    '../_base_/terms/response.py',
]
_base_.teacher.model.num_classes = _base_.num_classes
_base_.teacher.input_scale = 2.0  # it learnt from images at full size
_base_.terms.logits.teacher = 'logits'  # as of all models of other libraries
model = dict(
    _delete_=True,
    type='SegDistiller',
    student=_base_.model,
    teacher=_base_.teacher,
    terms=_base_.terms,
)
