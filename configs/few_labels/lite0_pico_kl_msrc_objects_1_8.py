"""EfficientNet-Lite0 on MSRC-v2 with few labels, in classes that its teacher of VOC knows."""

_base_ = [
    '../_base_/students/lite0_pico.py',
    '../_base_/teachers/deeplabv3_mnv2.py',
    '../_base_/class_maps/voc_to_msrc_v2_objects.py',
    '../_base_/datasets/msrc_v2_objects_1_8.py',
    '../_base_/runtime_iterations.py',
    '../_base_/schedules/adamw_poly_1600i.py',
]
_base_.student.data_preprocessor = {**_base_.preprocessor, **_base_.normalisation}
_base_.student.decode_head.num_classes = _base_.num_classes
cache = 'work_dirs/few_labels/msrc_v2_objects_1_8'
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
# About half of a batch is labelled: 34 images, seven times, beside 242 without their labels.
half_labelled = dict(
    type='ConcatDataset',
    datasets=[
        dict(type='RepeatDataset', times=7, dataset=_base_.labelled),
        dict(type='WithoutLabels', dataset=_base_.unlabelled),
    ],
)
_base_.train_dataloader.dataset = dict(type='WithTeacherCache', cache=cache, dataset=half_labelled)
optim_wrapper = dict(
    optimizer=dict(lr=1e-3), paramwise_cfg=dict(custom_keys=dict(backbone=dict(lr_mult=0.1)))
)
