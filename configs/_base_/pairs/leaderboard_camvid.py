"""The slim student and DeepLabV3 with MobileNetV2, trained on CamVid; terms to be added."""

_base_ = ['../../leaderboard/slim_plain_camvid.py', '../teachers/deeplabv3_mnv2.py']
_base_.teacher.model.decode_head.num_classes = _base_.num_classes
_base_.teacher.checkpoint = 'work_dirs/deeplabv3_mnv2_camvid/best.pth'
model = dict(_delete_=True, type='SegDistiller', student=_base_.model, teacher=_base_.teacher)
