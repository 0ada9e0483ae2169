"""As feature_kd_voc.py, with features of the whole images, cached before the training."""

_base_ = [
    '../_base_/students/mnv3s_slim.py',
    '../_base_/teachers/fcn_r50.py',
    '../_base_/terms/feature.py',
    '../_base_/datasets/voc.py',
    '../_base_/schedules/adam_plateau_50e.py',
    '../_base_/runtime.py',
]
_base_.student.data_preprocessor = _base_.preprocessor
_base_.student.backbone.weights = 'hub'  # ImageNet's, by torchvision; None for none
_base_.student.decode_head.num_classes = _base_.num_classes
# First: python tools/cache_teacher.py configs/kd/feature_kd_cached_voc.py
cache = 'work_dirs/feature_kd_cached_voc/teacher'
_base_.teacher.size_divisor = 16  # so that maps lie where the pixels lie
cached = dict(type='CachedTeacher', cache=cache, stride=16, teacher=_base_.teacher)
model = dict(type='SegDistiller', student=_base_.student, teacher=cached, terms=_base_.terms)
_base_.train_dataloader.dataset = dict(
    type='WithTeacherCache', dataset=_base_.train_dataloader.dataset, cache=cache
)
