"""EfficientNet-Lite0 with few labels learns from its plain self, without any other teacher."""

_base_ = [
    '../_base_/students/lite0_pico.py',
    '../_base_/datasets/voc_7_1_8.py',
    '../_base_/runtime_iterations.py',
    '../_base_/schedules/adamw_poly_1600i.py',
]
_base_.student.data_preprocessor = {**_base_.preprocessor, **_base_.normalisation}
_base_.student.decode_head.num_classes = _base_.num_classes
cache = 'work_dirs/few_labels/voc7_1_8_lite0'
teacher = dict(
    type='Teacher',
    model='configs/few_labels/lite0_pico_plain_voc7_1_8.py',
    checkpoint='weights/lite0_pico_plain_voc7_1_8.pth',  # its iter_1600.pth
)
cached = dict(type='CachedTeacher', cache=cache, view=dict(flip=True), teacher=teacher)
terms = dict(
    logits=dict(
        student='decode_head.conv_seg',
        teacher='decode_head.conv_seg',
        loss=dict(type='PixelKLLoss', temperature=1.0, loss_weight=1.0),
    )
)
model = dict(type='SegDistiller', student=_base_.student, teacher=cached, terms=terms)
# About half of a batch is labelled: 162 images, seven times, beside 1,138 without their labels.
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
