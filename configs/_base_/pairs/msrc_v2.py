"""The slim student and its teacher, ResNet-50 with a light ASPP, on MSRC-v2; terms to be added."""

_base_ = ['../../student/mnv3s_slim_msrc_v2.py', '../teachers/aspp_r50.py']
_base_.teacher.model.decode_head.num_classes = _base_.num_classes
_base_.teacher.checkpoint = 'work_dirs/aspp_r50_msrc_v2/best.pth'
model = dict(_delete_=True, type='SegDistiller', student=_base_.model, teacher=_base_.teacher)
