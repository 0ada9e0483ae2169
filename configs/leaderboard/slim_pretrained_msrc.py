"""The baseline on MSRC-v2 from a distilled backbone: configs/pretrain/mnv3s_backbone.py."""

_base_ = './slim_plain_msrc.py'
model = dict(backbone=dict(weights='work_dirs/mnv3s_backbone/epoch_8.pth'))
