"""The slim student and its teacher, ResNet-50 with a light ASPP, on CamVid; terms to be added."""

_base_ = ['../../student/mnv3s_slim_camvid.py', '../teachers/aspp_r50.py']
_base_.teacher.model.decode_head.num_classes = _base_.num_classes
_base_.teacher.checkpoint = 'work_dirs/aspp_r50_camvid/best.pth'
model = dict(_delete_=True, type='SegDistiller', student=_base_.model, teacher=_base_.teacher)
