"""The slim student on CamVid learns pairs of positions from ResNet-50."""

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
    context=dict(
        student='decode_head.aspp',
        teacher='decode_head.aspp',
        # The weight in CIRKD's code; 0.5 in SKD's own, of 2 x 2 nodes (max_nodes=4).
        loss=dict(type='PairWiseLoss', loss_weight=10.0),
    )
)
model = dict(type='SegDistiller', student=_base_.student, teacher=_base_.teacher, terms=terms)
