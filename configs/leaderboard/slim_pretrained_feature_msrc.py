"""Two stages on MSRC-v2: a distilled backbone, then the same teacher's features again."""

_base_ = './slim_feature_msrc.py'
model = dict(student=dict(backbone=dict(weights='work_dirs/mnv3s_backbone/epoch_8.pth')))
