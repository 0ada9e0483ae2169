"""MobileNetV3-Large on VOC learns from responses whose weight grows over half the training."""

_base_ = './mnv3l_response_whole_voc.py'
model = dict(terms=dict(logits=dict(schedule=[(0, 0), (0.5, 1)])))
