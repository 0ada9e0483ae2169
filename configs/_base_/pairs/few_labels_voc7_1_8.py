"""MobileNetV3-Large with few labels, and a DeepLabV3 of all of VOC, shown all images beforehand.

About half of a batch is labelled: 162 images, seven times, beside 1,138 whose labels are not read.
"""

_base_ = [
    '../../few_labels/mnv3l_plain_voc7_1_8.py',
    '../teachers/deeplabv3_mnv2.py',
    '../class_maps/voc_to_7.py',
]
cache = 'work_dirs/few_labels/voc7_1_8'
_base_.teacher.type = 'CachedTeacher'
_base_.teacher.cache = cache
_base_.teacher.view = dict(flip=True)
model = dict(_delete_=True, type='SegDistiller', student=_base_.model, teacher=_base_.teacher)
train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='WithTeacherCache',
        cache=cache,
        dataset=dict(
            type='ConcatDataset',
            datasets=[
                dict(type='RepeatDataset', times=7, dataset=_base_.labelled),
                dict(type='WithoutLabels', dataset=_base_.unlabelled),
            ],
        ),
    )
)
