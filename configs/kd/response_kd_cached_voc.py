"""As response_kd_voc.py, but the teacher was shown the whole photos, before the training.

First: python tools/cache_teacher.py configs/kd/response_kd_cached_voc.py
"""

_base_ = './response_kd_voc.py'
cache = 'work_dirs/response_kd_cached_voc/teacher'
model = dict(teacher=dict(type='CachedTeacher', cache=cache))
train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='WithTeacherCache',
        dataset=_base_.train_dataloader.dataset,
        cache=cache,
    ),
)
