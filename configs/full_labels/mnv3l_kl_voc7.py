"""MobileNetV3-Large with labels for all images, and the teacher's distributions."""

_base_ = [
    '../_base_/students/mnv3l_fcn.py',
    '../_base_/teachers/deeplabv3_mnv2.py',
    '../_base_/class_maps/voc_to_7.py',
    '../_base_/datasets/voc_7_1_8.py',
    '../_base_/runtime_iterations.py',
    '../_base_/schedules/adamw_poly_1600i.py',
]
_base_.student.data_preprocessor = _base_.preprocessor
_base_.student.backbone.weights = 'weights/mobilenet_v3_large_rvm_features.pth'
_base_.student.decode_head.num_classes = _base_.num_classes
_base_.student.decode_head.loss_decode.avg_non_ignore = True
cache = 'work_dirs/few_labels/voc7_1_8'
cached = dict(type='CachedTeacher', cache=cache, view=dict(flip=True), teacher=_base_.teacher)
terms = dict(
    logits=dict(
        student='decode_head.conv_seg',
        teacher='decode_head.conv_seg',
        classes=_base_.class_map,
        loss=dict(type='PixelKLLoss', temperature=1.0, loss_weight=1.0),
    )
)
model = dict(type='SegDistiller', student=_base_.student, teacher=cached, terms=terms)
_base_.labelled.split = 'labelled_all'
_base_.train_dataloader.dataset = dict(
    type='WithTeacherCache', cache=cache, dataset=_base_.labelled
)
optim_wrapper = dict(
    optimizer=dict(lr=1e-3), paramwise_cfg=dict(custom_keys=dict(backbone=dict(lr_mult=0.1)))
)
