"""The distilled student of the first run: 8 images with labels, 72 without, and a teacher.

Half of each batch is labelled. On all of it the student learns the classes that the teacher
predicts; its logits on whole images come from a cache. So short a training learns less from the
teacher's distributions (PixelKLLoss).
"""

_base_ = [
    '../_base_/students/mnv3s_slim.py',
    '../_base_/teachers/mnv3s_wide.py',
    '../_base_/datasets/shapes_1_10.py',
    '../_base_/schedules/adamw_poly_30e.py',
    '../_base_/runtime.py',
]
_base_.student.data_preprocessor = _base_.preprocessor
_base_.student.decode_head.num_classes = _base_.num_classes
_base_.teacher.model.decode_head.num_classes = _base_.num_classes
_base_.teacher.checkpoint = 'work_dirs/mnv3s_wide_shapes_1_10/epoch_34.pth'
cache = 'work_dirs/mnv3s_pseudo_shapes_1_10/cache'
cached = dict(type='CachedTeacher', cache=cache, stride=4, teacher=_base_.teacher)
terms = dict(
    logits=dict(
        student='decode_head.conv_seg',
        teacher='decode_head.conv_seg',
        loss=dict(type='PseudoLabelLoss', loss_weight=1.0),
    )
)
model = dict(type='SegDistiller', student=_base_.student, teacher=cached, terms=terms)
all_images = dict(
    type='ConcatDataset',
    datasets=[_base_.labelled, dict(type='WithoutLabels', dataset=_base_.unlabelled)],
)
train_dataloader = dict(
    sampler=dict(_delete_=True, type='FewLabelsEpochSampler', batch_size=8, labelled_per_batch=4),
    dataset=dict(_delete_=True, type='WithTeacherCache', cache=cache, dataset=all_images),
)
