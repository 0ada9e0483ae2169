"""The slim student on CamVid learns from DeepLabV3's responses to whole images."""

_base_ = [
    '../_base_/students/mnv3s_slim.py',
    '../_base_/teachers/deeplabv3_mnv2.py',
    '../_base_/datasets/camvid_small.py',
    '../_base_/schedules/adamw_poly_8e.py',
    '../_base_/runtime.py',
]
_base_.student.data_preprocessor = _base_.preprocessor
_base_.student.decode_head.num_classes = _base_.num_classes
_base_.student.decode_head.loss_decode.avg_non_ignore = False  # mmseg's cannot be with weights
_base_.teacher.model.decode_head.num_classes = _base_.num_classes
_base_.teacher.checkpoint = 'work_dirs/deeplabv3_mnv2_camvid/best.pth'
cache = 'work_dirs/leaderboard_camvid/teacher'
view = dict(scales=(1.0, 1.25), flip=True)
cached = dict(type='CachedTeacher', cache=cache, view=view, teacher=_base_.teacher)
terms = dict(
    logits=dict(
        student='decode_head.conv_seg',
        teacher='decode_head.conv_seg',
        loss=dict(type='PixelKLLoss', temperature=2.0, loss_weight=1.0),
    )
)
model = dict(type='SegDistiller', student=_base_.student, teacher=cached, terms=terms)
_base_.train_dataloader.dataset = dict(
    type='WithTeacherCache', dataset=_base_.train_dataloader.dataset, cache=cache
)
optim_wrapper = dict(optimizer=dict(lr=3e-3))
train_cfg = dict(val_interval=8)
default_hooks = dict(checkpoint=dict(interval=1))
custom_hooks = [*_base_.custom_hooks, dict(type='ClassWeightHook')]
