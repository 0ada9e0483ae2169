"""The students of configs/_base_/students: their size, counted layer by layer, and shapes."""

from math import ceil

import pytest
import torch
from mmengine.structures import PixelData
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample

from segkd_mm.config import load_config

STUDENTS = {'mnv3s_aspp': 6_831_509, 'mnv3s_slim': 2_516_853}
each_student = pytest.mark.parametrize('name', STUDENTS)

# MobileNetV3-Small, arXiv 1905.02244, table 2: channels in, kernel, expanded, out, and those to
# which squeeze-and-excitation squeezes (a quarter of the expanded, to a multiple of 8) or None.
BLOCKS = [
    (16, 3, 16, 16, 8),
    (16, 3, 72, 24, None),
    (24, 3, 88, 24, None),
    (24, 5, 96, 40, 24),
    (40, 5, 240, 40, 64),
    (40, 5, 240, 40, 64),
    (40, 5, 120, 48, 32),
    (48, 5, 144, 48, 40),
    (48, 5, 288, 96, 72),
    (96, 5, 576, 96, 144),
    (96, 5, 576, 96, 144),
]


def conv_bn(in_channels, out_channels, kernel, groups=1):
    return kernel**2 * in_channels // groups * out_channels + 2 * out_channels


def dense(in_channels, out_channels):
    return in_channels * out_channels + out_channels


def inverted_residual(in_channels, kernel, expanded, out_channels, squeezed):
    expand = conv_bn(in_channels, expanded, 1) if expanded != in_channels else 0
    depthwise = conv_bn(expanded, expanded, kernel, groups=expanded)
    squeeze = dense(expanded, squeezed) + dense(squeezed, expanded) if squeezed else 0
    return expand + depthwise + squeeze + conv_bn(expanded, out_channels, 1)


def mobilenet_v3_small():
    blocks = sum(inverted_residual(*block) for block in BLOCKS)
    return conv_bn(3, 16, 3) + blocks + conv_bn(96, 576, 1)


def aspp(in_channels, channels, num_dilations):
    pool = point = conv_bn(in_channels, channels, 1)
    dilated = num_dilations * conv_bn(in_channels, channels, 3)
    return pool + point + dilated + conv_bn((2 + num_dilations) * channels, channels, 1)


def separable(in_channels, out_channels):
    return 9 * in_channels + conv_bn(in_channels, out_channels, 1)


def mnv3s_aspp():
    skip = conv_bn(16, 48, 1)
    refine = conv_bn(256 + 48, 256, 3) + conv_bn(256, 256, 3)
    return mobilenet_v3_small() + aspp(576, 256, 3) + skip + refine + dense(256, 21)


def mnv3s_slim():
    at_8 = conv_bn(24, 32, 1) + separable(128 + 32, 128)
    at_4 = conv_bn(16, 32, 1) + separable(128 + 32, 128)
    return mobilenet_v3_small() + aspp(576, 128, 2) + at_8 + at_4 + dense(128, 21)


def build(name, **head):
    config = load_config(f'_base_/students/{name}.py').student
    config.decode_head.update(head)
    torch.manual_seed(0)
    return MODELS.build(config)


def test_the_counts_written_in_the_configs_are_those_of_the_layers():
    assert {'mnv3s_aspp': mnv3s_aspp(), 'mnv3s_slim': mnv3s_slim()} == STUDENTS
    for name, count in STUDENTS.items():
        assert f'{count:,} parameters' in load_config(f'_base_/students/{name}.py').text


@each_student
def test_the_students_have_the_parameters_that_were_counted(name):
    assert sum(p.numel() for p in build(name).parameters()) == STUDENTS[name]


@each_student
def test_logits_have_stride_4_at_any_size(name):
    with torch.device('meta'):  # shapes alone, without the work
        model = build(name).eval()
        for height, width in [(256, 256), (384, 384), (512, 512), (640, 480), (257, 379), (33, 65)]:
            logits = model(torch.zeros(2, 3, height, width), mode='tensor')
            assert logits.shape == (2, 21, ceil(height / 4), ceil(width / 4))


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
