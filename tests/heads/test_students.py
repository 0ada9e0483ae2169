"""The students of configs/_base_/students: their size, counted layer by layer, and shapes."""

from math import ceil

import pytest
import timm
import torch
from counting import (
    conv_bn,
    dense,
    light_aspp,
    mobilenet_v2_blocks,
    mobilenet_v3_large,
    mobilenet_v3_small,
    separable,
)
from mmengine.structures import PixelData
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample

from segkd_mm.config import load_config

STUDENTS = {
    'mnv3s_aspp': 6_831_509,
    'mnv3s_slim': 2_516_853,
    'mnv3s_nano': 1_324_821,
    'mnv3s_pico': 1_351_589,
    'mnv3l_pico': 3_603_637,
    'mnv2_pico': 2_103_173,
    'lite0_pico': 3_247_317,
}
STRIDES = dict.fromkeys(STUDENTS, 8) | {'mnv3s_aspp': 4, 'mnv3s_slim': 4}
each_student = pytest.mark.parametrize('name', STUDENTS)


def mnv3s_aspp():
    skip = conv_bn(16, 48, 1)
    refine = conv_bn(256 + 48, 256, 3) + conv_bn(256, 256, 3)
    return mobilenet_v3_small() + light_aspp(576, 256, 3) + skip + refine + dense(256, 21)


def mnv3s_slim():
    at_8 = conv_bn(24, 32, 1) + separable(128 + 32, 128)
    at_4 = conv_bn(16, 32, 1) + separable(128 + 32, 128)
    return mobilenet_v3_small() + light_aspp(576, 128, 2) + at_8 + at_4 + dense(128, 21)


def separable_aspp(in_channels):
    joined = conv_bn(4 * 128, 128, 1)  # of image pooling, a 1x1 and two dilations
    return 2 * conv_bn(in_channels, 128, 1) + 2 * separable(in_channels, 128) + joined


def mnv3s_nano():
    at_8 = conv_bn(24, 32, 1) + separable(128 + 32, 128)
    return mobilenet_v3_small() + separable_aspp(576) + at_8 + dense(128, 21)


def pico_head(high, mid, low, skip=48):
    at_16 = conv_bn(mid, skip, 1) + separable(128 + skip, 128)
    at_8 = conv_bn(low, 32, 1) + separable(128 + 32, 128)
    return separable_aspp(high) + at_16 + at_8 + dense(128, 21)


def mnv3s_pico():
    return mobilenet_v3_small() + pico_head(576, 48, 24)


def mnv3l_pico():
    return mobilenet_v3_large() + pico_head(960, 112, 40)


def mnv2_pico():
    return mobilenet_v2_blocks() + pico_head(320, 96, 32)


def lite0_pico():
    with torch.device('meta'):  # sizes alone
        classifier = timm.create_model('tf_efficientnet_lite0')
    behind = ('conv_head', 'bn2', 'classifier')
    trunk = [p for key, p in classifier.named_parameters() if key.split('.')[0] not in behind]
    return sum(p.numel() for p in trunk) + pico_head(320, 112, 40, skip=32)


def build(name, **head):
    config = load_config(f'_base_/students/{name}.py').student
    config.decode_head.update(head)
    torch.manual_seed(0)
    return MODELS.build(config)


def test_the_counts_written_in_the_configs_are_those_of_the_layers():
    counts = mnv3s_aspp, mnv3s_slim, mnv3s_nano, mnv3s_pico, mnv3l_pico, mnv2_pico, lite0_pico
    assert {count.__name__: count() for count in counts} == STUDENTS
    for name, count in STUDENTS.items():
        assert f'{count:,} parameters' in load_config(f'_base_/students/{name}.py').text


@each_student
def test_the_students_have_the_parameters_that_were_counted(name):
    assert sum(p.numel() for p in build(name).parameters()) == STUDENTS[name]


@each_student
def test_logits_have_their_stride_at_any_size(name):
    stride = STRIDES[name]
    with torch.device('meta'):  # shapes alone, without the work
        model = build(name).eval()
        for height, width in [(256, 256), (257, 379), (33, 65)]:
            logits = model(torch.zeros(2, 3, height, width), mode='tensor')
            assert logits.shape == (2, 21, ceil(height / stride), ceil(width / stride))


@each_student
@torch.no_grad()
def test_predictions_have_the_size_of_the_image(name):
    sample = SegDataSample(metainfo=dict(img_shape=(67, 101), ori_shape=(67, 101)))
    (prediction,) = build(name).eval().predict(torch.randn(1, 3, 67, 101), [sample])
    assert prediction.pred_sem_seg.shape == (67, 101)
    assert prediction.seg_logits.data.shape == (21, 67, 101)


def samples(labels):
    return [SegDataSample(gt_sem_seg=PixelData(data=label[None])) for label in labels]


@each_student
@pytest.mark.parametrize('batch', [1, 2])
def test_the_gradient_of_the_loss_reaches_every_parameter(name, batch):
    model = build(name, dropout_ratio=0.0).train()
    labels = torch.randint(0, 21, (batch, 64, 96))
    losses = model.loss(torch.randn(batch, 3, 64, 96), samples(labels))
    losses['decode.loss_ce'].backward()
    unreached = [k for k, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    assert unreached == []


@each_student
def test_all_void_labels_give_zero_loss_and_a_gradient_of_zero(name):
    model = build(name).train()
    losses = model.loss(torch.randn(2, 3, 64, 64), samples(torch.full((2, 64, 64), 255)))
    losses['decode.loss_ce'].backward()
    assert losses['decode.loss_ce'].item() == 0
    assert all(not p.grad.any() for p in model.parameters())
