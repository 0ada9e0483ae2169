"""MobileNetV3-Large and its teacher, torchvision's FCN-ResNet50, on VOC 2012; terms to be added."""

_base_ = ['../../student/mnv3l_fcn_voc.py', '../teachers/fcn_r50.py']
model = dict(_delete_=True, type='SegDistiller', student=_base_.model, teacher=_base_.teacher)
