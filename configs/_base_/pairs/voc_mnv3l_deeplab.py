"""MobileNetV3-Large and a DeepLabV3 with MobileNetV2 on VOC 2012; terms to be added."""

_base_ = ['../../student/mnv3l_fcn_voc.py', '../teachers/deeplabv3_mnv2.py']
model = dict(_delete_=True, type='SegDistiller', student=_base_.model, teacher=_base_.teacher)
