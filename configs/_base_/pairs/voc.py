"""The slim student and its teacher, torchvision's FCN-ResNet50, on VOC 2012; terms to be added."""

_base_ = ['../../student/mnv3s_slim_voc.py', '../teachers/fcn_r50.py']
model = dict(_delete_=True, type='SegDistiller', student=_base_.model, teacher=_base_.teacher)
