"""As feature_kd_voc.py, with features of the whole images, cached before the training."""

_base_ = [
    '../_base_/students/mnv3s_slim.py',
    '../_base_/teachers/fcn_r50.py',
    '../_base_/datasets/voc.py',
    '../_base_/schedules/adam_plateau_50e.py',
    '../_base_/runtime.py',
]
_base_.student.data_preprocessor = _base_.preprocessor
_base_.student.backbone.weights = 'hub'  # ImageNet's, by torchvision; None for none
_base_.student.decode_head.num_classes = _base_.num_classes
# First: python tools/cache_teacher.py configs/kd/feature_kd_cached_voc.py
cache = 'work_dirs/feature_kd_cached_voc/teacher'
cached = dict(type='CachedTeacher', cache=cache, teacher=_base_.teacher)
cosine = dict(type='CosineFeatureLoss', loss_weight=0.1)
final_cosine = dict(type='CosineFeatureLoss', loss_weight=0.5)
terms = dict(
    mid=dict(student='backbone.mid', teacher='backbone.layer2', adapter='auto', loss=cosine),
    high=dict(student='backbone.high', teacher='backbone.layer3', adapter='auto', loss=cosine),
    final=dict(
        student='backbone.final', teacher='backbone.layer4', adapter='auto', loss=final_cosine
    ),
)
model = dict(type='SegDistiller', student=_base_.student, teacher=cached, terms=terms)
_base_.train_dataloader.dataset = dict(
    type='WithTeacherCache', dataset=_base_.train_dataloader.dataset, cache=cache
)
