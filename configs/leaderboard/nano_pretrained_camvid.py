"""The nano student on CamVid from a distilled backbone: configs/pretrain/mnv3s_backbone.py."""

_base_ = './nano_plain_camvid.py'
model = dict(backbone=dict(weights='work_dirs/mnv3s_backbone/epoch_8.pth'))
