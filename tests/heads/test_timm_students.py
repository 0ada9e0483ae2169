"""The slim students on trunks of timm: their size, counted layer by layer, shapes and a step."""

from math import ceil, floor

import pytest
import timm
import torch
from counting import conv_bn, dense, light_aspp, separable
from mmengine.structures import PixelData
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample

from segkd_mm.config import load_config

pytestmark = pytest.mark.slow

STUDENTS = {
    'edgenext': 2_777_457,
    'hgnetv2': 2_555_985,
    'lite0': 3_894_101,
    'mnv4s': 1_887_541,
    'repvit': 5_847_829,
    'starnet': 3_308_925,
}
# Modules of timm's classifiers behind the trunks, and the channels of low, mid, high and final.
BEHIND = {'lite0': ('conv_head', 'bn2', 'classifier'),
          'mnv4s': ('conv_head', 'norm_head', 'classifier'),
          'starnet': ('norm', 'head')}  # fmt: skip
CHANNELS = {
    'edgenext': (32, 64, 100, 192),
    'hgnetv2': (64, 256, 512, 1024),
    'lite0': (24, 40, 112, 320),
    'mnv4s': (32, 64, 96, 960),
    'repvit': (48, 96, 192, 384),
    'starnet': (24, 48, 96, 192),
}
AT_16 = ('lite0', 'mnv4s')  # the trunks that end at stride 16
each_student = pytest.mark.parametrize('name', STUDENTS)


def head(name):
    """Parameters of the slim head; from 960 channels on, its ASPP is separable."""
    *skips, final = CHANNELS[name]
    if name in AT_16:
        skips = skips[:2]
    decoder = sum(conv_bn(channels, 32, 1) + separable(128 + 32, 128) for channels in skips)
    return aspp(final) + decoder + dense(128, 21)


def aspp(final):
    if final < 960:
        return light_aspp(final, 128, 2)
    joined = conv_bn(4 * 128, 128, 1)  # of image pooling, a 1x1 and two dilations
    return 2 * conv_bn(final, 128, 1) + 2 * separable(final, 128) + joined


def student(name):
    model = load_config(f'student/{name}_slim_voc.py').model
    assert model.backbone.weights == 'hub'
    model.backbone.weights = None
    torch.manual_seed(0)
    return MODELS.build(model)


@each_student
def test_the_stated_parameters_are_those_of_timms_trunk_and_of_the_layers_of_the_head(name):
    with torch.device('meta'):  # shapes alone, without the work
        model = student(name)
        classifier = timm.create_model(model.backbone.arch)
    behind = BEHIND.get(name, ('head',))
    trunk = [p for key, p in classifier.named_parameters() if key.split('.')[0] not in behind]
    assert sum(p.numel() for p in trunk) + head(name) == STUDENTS[name]
    assert sum(p.numel() for p in model.parameters()) == STUDENTS[name]
    stated = load_config(f'_base_/students/{name}_slim.py').text
    assert f'{STUDENTS[name]:,} parameters' in stated
    assert model.backbone.channels == CHANNELS[name]
    assert model.backbone.strides == (4, 8, 16, 16 if name in AT_16 else 32)


@each_student
def test_images_are_normalised_as_timms_weights_expect(name):
    model = load_config(f'student/{name}_slim_voc.py').model
    expected = timm.get_pretrained_cfg(model.backbone.arch)
    preprocessor = model.data_preprocessor
    assert preprocessor.bgr_to_rgb
    assert preprocessor.mean == pytest.approx([255 * x for x in expected.mean], abs=0.01)
    assert preprocessor.std == pytest.approx([255 * x for x in expected.std], abs=0.01)


@each_student
def test_logits_have_stride_4_at_any_size(name):
    with torch.device('meta'):
        model = student(name).eval()
        for height, width in [(256, 256), (33, 65)]:
            logits = model(torch.zeros(2, 3, height, width), mode='tensor')
            rounded = floor if name == 'edgenext' else ceil  # its first conv is 4x4 of stride 4
            assert logits.shape == (2, 21, rounded(height / 4), rounded(width / 4))


@each_student
def test_the_gradient_of_the_loss_reaches_every_parameter(name):
    model = student(name).train()
    labels = torch.randint(0, 21, (2, 1, 64, 96))
    samples = [SegDataSample(gt_sem_seg=PixelData(data=label)) for label in labels]
    losses = model.loss(torch.randn(2, 3, 64, 96), samples)
    losses['decode.loss_ce'].backward()
    assert torch.isfinite(losses['decode.loss_ce'])
    assert [key for key, p in model.named_parameters() if p.grad is None] == []
