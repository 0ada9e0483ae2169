"""Two stages: a distilled backbone, then DeepLabV3 on whole images channel by channel."""

_base_ = './slim_cwd_whole_camvid.py'
model = dict(student=dict(backbone=dict(weights='work_dirs/mnv3s_backbone/epoch_8.pth')))
