"""The slim student on CamVid learns from the standardised logits of ResNet-50."""

_base_ = [
    '../_base_/students/mnv3s_slim.py',
    '../_base_/teachers/aspp_r50.py',
    '../_base_/datasets/camvid.py',
    '../_base_/schedules/adamw_poly_20e.py',
    '../_base_/runtime.py',
]
_base_.student.data_preprocessor = _base_.preprocessor
_base_.student.decode_head.num_classes = _base_.num_classes
_base_.teacher.model.decode_head.num_classes = _base_.num_classes
_base_.teacher.checkpoint = 'work_dirs/aspp_r50_camvid/best.pth'
terms = dict(
    logits=dict(
        student='decode_head.conv_seg',
        teacher='decode_head.conv_seg',
        # A gradient of the cross-entropy's size; the authors' 9 is beside one of weight 0.1.
        loss=dict(type='StandardisedKLLoss', temperature=2.0, loss_weight=3.0),
        # Beside an untrained student it would weigh many times the cross-entropy.
        schedule=[(0, 0), (0.1, 1)],
    )
)
model = dict(type='SegDistiller', student=_base_.student, teacher=_base_.teacher, terms=terms)
