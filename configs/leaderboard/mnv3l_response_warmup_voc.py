"""MobileNetV3-Large on VOC learns from responses whose weight grows over half the training."""

_base_ = [
    '../_base_/students/mnv3l_fcn.py',
    '../_base_/teachers/deeplabv3_mnv2.py',
    '../_base_/class_maps/voc_to_7.py',
    '../_base_/datasets/voc_7_small.py',
    '../_base_/schedules/adamw_poly_3e.py',
    '../_base_/runtime.py',
]
_base_.student.data_preprocessor = _base_.preprocessor
_base_.student.backbone.weights = 'weights/mobilenet_v3_large_rvm_features.pth'
_base_.student.decode_head.num_classes = _base_.num_classes
_base_.student.decode_head.loss_decode.avg_non_ignore = True
cache = 'work_dirs/leaderboard_voc/teacher'
view = dict(flip=True)
cached = dict(type='CachedTeacher', cache=cache, view=view, teacher=_base_.teacher)
terms = dict(
    logits=dict(
        student='decode_head.conv_seg',
        teacher='decode_head.conv_seg',
        classes=_base_.class_map,
        loss=dict(type='PixelKLLoss', temperature=2.0, loss_weight=1.0),
        schedule=[(0, 0), (0.5, 1)],
    )
)
model = dict(type='SegDistiller', student=_base_.student, teacher=cached, terms=terms)
_base_.train_dataloader.dataset = dict(
    type='WithTeacherCache', dataset=_base_.train_dataloader.dataset, cache=cache
)
default_hooks = dict(checkpoint=dict(interval=1))
