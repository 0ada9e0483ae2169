"""As leaderboard_voc.py, but the teacher was shown the whole images, before the training."""

_base_ = './leaderboard_voc.py'
cache = 'work_dirs/leaderboard_voc/teacher'
view = dict(flip=True)
teacher = dict(_delete_=True, type='CachedTeacher', cache=cache, view=view, teacher=_base_.teacher)
model = dict(teacher=teacher)
train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='WithTeacherCache',
        dataset=_base_.train_dataloader.dataset,
        cache=cache,
    )
)
