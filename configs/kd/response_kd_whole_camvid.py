"""As response_kd_camvid.py, but the teacher is shown the whole images in each step."""

_base_ = './response_kd_camvid.py'
model = dict(teacher=dict(_delete_=True, type='WholeImageTeacher', teacher=_base_.teacher))
train_dataloader = dict(
    dataset=dict(_delete_=True, type='WithWholeImage', dataset=_base_.train_dataloader.dataset),
)
