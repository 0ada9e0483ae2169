"""As leaderboard_camvid.py, but the teacher was shown the whole images, before the training."""

_base_ = './leaderboard_camvid.py'
cache = 'work_dirs/leaderboard_camvid/teacher'
view = dict(scales=(1.0, 1.25), flip=True)
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
