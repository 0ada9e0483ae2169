"""Two stages: a distilled backbone, then DeepLabV3's responses to whole images."""

_base_ = './slim_response_whole_camvid.py'
model = dict(student=dict(backbone=dict(weights='work_dirs/mnv3s_backbone/epoch_8.pth')))
