"""As response_kd_voc.py, but the teacher was shown the whole images, before the training.

First: python tools/cache_teacher.py configs/kd/response_kd_cached_voc.py
"""

_base_ = './response_kd_voc.py'
cache = 'work_dirs/response_kd_cached_voc/teacher'
teacher = dict(_delete_=True, type='CachedTeacher', cache=cache, teacher=_base_.teacher)
model = dict(teacher=teacher)
train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='WithTeacherCache',
        dataset=_base_.train_dataloader.dataset,
        cache=cache,
    ),
)
