"""MobileNetV3-Large in seven classes and a DeepLabV3 with MobileNetV2 of all of VOC 2012."""

_base_ = [
    '../../leaderboard/mnv3l_plain_voc.py',
    '../teachers/deeplabv3_mnv2.py',
    '../class_maps/voc_to_7.py',
]
model = dict(_delete_=True, type='SegDistiller', student=_base_.model, teacher=_base_.teacher)
