"""The slim student on CamVid learns relations across images from ResNet-50."""

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
batch = dict(type='CrossImageLoss', temperature=0.1, loss_weight=1.0)
memory = dict(
    type='CIRKDMemoryLoss', num_classes=_base_.num_classes, channels='auto', temperature=0.1,
    pixels=2000, regions=200,  # a tenth of the authors' queues, for short recipes on small crops
    loss_weight=0.1,
)  # fmt: skip
aspp = dict(student='decode_head.aspp', teacher='decode_head.aspp')
terms = dict(batch=dict(aspp, loss=batch), memory=dict(aspp, adapter='auto', loss=memory))
model = dict(type='SegDistiller', student=_base_.student, teacher=_base_.teacher, terms=terms)
