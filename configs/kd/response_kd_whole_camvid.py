"""As response_kd_camvid.py, but the teacher is shown the whole photos in each step."""

_base_ = './response_kd_camvid.py'
model = dict(teacher=dict(type='WholePhotoTeacher'))
train_dataloader = dict(
    dataset=dict(_delete_=True, type='WithWholePhoto', dataset=_base_.train_dataloader.dataset),
)
