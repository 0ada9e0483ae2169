"""As leaderboard_voc.py, but the teacher was shown the whole photos, before the training."""

_base_ = './leaderboard_voc.py'
cache = 'work_dirs/leaderboard_voc/teacher'
view = dict(flip=True)
model = dict(teacher=dict(type='CachedTeacher', cache=cache, view=view))
train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='WithTeacherCache',
        dataset=_base_.train_dataloader.dataset,
        cache=cache,
    )
)
