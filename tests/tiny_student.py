"""A student that exports in little time: image pooling and two skips, like the real ones."""

from copy import deepcopy

import torch
from mmengine.config import ConfigDict
from mmengine.registry import init_default_scope
from mmseg.registry import MODELS
from torch import nn

MODEL = dict(
    type='EncoderDecoder',
    data_preprocessor=dict(
        type='SegDataPreProcessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
        size=(96, 96),
    ),
    backbone=dict(
        type='ResNet',
        depth=18,
        stem_channels=8,
        base_channels=8,
        num_stages=2,
        out_indices=(0, 1),
        strides=(1, 2),
        dilations=(1, 1),
        norm_cfg=dict(type='BN'),
    ),
    decode_head=dict(
        type='DepthwiseDecoderHead',
        in_channels=[8, 16],
        in_index=[0, 1],
        channels=16,
        dilations=(2,),
        skip_channels=(8,),
        num_convs=1,
        num_classes=8,
        loss_decode=dict(type='CrossEntropyLoss', avg_non_ignore=True),
    ),
    auxiliary_head=dict(
        type='FCNHead',
        in_channels=16,
        in_index=1,
        channels=8,
        num_classes=8,
        loss_decode=dict(type='CrossEntropyLoss', avg_non_ignore=True),
    ),
    test_cfg=dict(mode='whole'),
)
# What an exported file says of its classes.
NAMES = dict(classes=[*'abcdefgh'], palette=[[i, i, i] for i in range(8)], precision='fp32')


def tiny_student(**changes) -> nn.Module:
    """With random weights that tell classes apart, and batch norms that do something."""
    init_default_scope('mmseg')
    torch.manual_seed(3)
    model = MODELS.build(ConfigDict(deepcopy({**MODEL, **changes}))).eval()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 2)
    model.requires_grad_(False)
    classifier = model.decode_head.conv_seg
    classifier.weight.normal_()
    classifier.bias -= model(torch.randn(4, 3, 96, 96)).mean((0, 2, 3))  # else one class wins all
    return model
