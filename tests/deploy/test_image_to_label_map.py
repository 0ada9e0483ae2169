import pytest
import torch
from mmseg.registry import MODELS
from torch import nn

from segkd_mm.config import load_config
from segkd_mm.deploy import Runtime, upsampled_label_map
from segkd_mm.deploy.image_to_label_map import FastLabelMap, MMSegLabelMap, NormaliseInPlace

IMAGENET = dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], bgr_to_rgb=True)


@pytest.fixture
def images():
    torch.manual_seed(0)
    return torch.randint(0, 256, (2, 3, 40, 56), dtype=torch.uint8)


class Colours(nn.Module):
    """A net whose logits are the colours of every fourth pixel; RGB, if it gets what it wants."""

    align_corners = False

    def __init__(self, **preprocessor):
        super().__init__()
        self.data_preprocessor = MODELS.build(dict(type='SegDataPreProcessor', **preprocessor))

    def forward(self, images):
        return images[..., ::4, ::4]


@pytest.mark.parametrize(
    'options',
    [
        {},
        IMAGENET,
        {**IMAGENET, 'bgr_to_rgb': False},
        {**IMAGENET, 'size_divisor': 32, 'test_cfg': dict(size_divisor=32)},
        {**IMAGENET, 'size_divisor': 32},  # in training alone
    ],
    ids=['none', 'RGB', 'BGR', 'padded', 'padded in training'],
)
def test_images_are_normalised_as_mmseg_does_it_to_the_bit(images, options):
    net = Colours(**options)
    data = net.data_preprocessor(dict(inputs=list(images), data_samples=[Sample(), Sample()]))
    before = images.clone()
    found = NormaliseInPlace.from_preprocessor(net.data_preprocessor)(images)
    assert torch.equal(found, data['inputs'])
    assert torch.equal(images, before)


class Sample:
    def set_metainfo(self, info):
        pass


@pytest.mark.parametrize('divisor', [None, 32])
def test_both_ways_give_the_same_labels_at_the_size_of_the_image(images, divisor):
    net = Colours(**IMAGENET, test_cfg=divisor and dict(size_divisor=divisor))
    fast, usual = FastLabelMap.from_model(net)(images), MMSegLabelMap(net)(images)
    assert fast.shape == (2, 40, 56)
    assert fast.dtype == torch.int64
    assert (fast == usual).float().mean() > 0.999
    assert len(fast.unique()) == 3


def test_the_best_class_by_hand():
    red = torch.zeros(1, 3, 8, 8, dtype=torch.uint8)
    red[:, 2] = 200  # BGR
    rgb = dict(mean=[100.0] * 3, std=[50.0] * 3, bgr_to_rgb=True)
    for labels in (FastLabelMap.from_model(Colours(**rgb)), MMSegLabelMap(Colours(**rgb))):
        assert labels(red).tolist() == [[[0] * 8] * 8]


@torch.no_grad()
def test_both_ways_agree_on_a_student():
    torch.manual_seed(0)
    config = load_config('student/mnv3s_slim_shapes.py')
    model = MODELS.build(config.model).eval()
    nn.init.normal_(model.decode_head.conv_seg.weight)  # else one class wins everywhere
    images = torch.randint(0, 256, (1, 3, 8, 8), dtype=torch.uint8).repeat_interleave(16, 2)
    images = images.repeat_interleave(16, 3)
    fast, usual = FastLabelMap.from_model(model)(images), MMSegLabelMap(model)(images)
    assert (fast == usual).float().mean() > 0.999
    assert len(fast.unique()) > 1


class Exported(Runtime):
    """Notes what it is given, and gives the same back."""

    def __init__(self, found, **metadata):
        self.found, self.metadata = found, dict(align_corners=False, **metadata)

    def _run(self, images):
        self.images = images
        return self.found


def test_an_exported_model_is_given_what_it_takes(images):
    logits = torch.randn(2, 3, 10, 14)
    known = dict(**IMAGENET, test_cfg=None, input='normalised', output='logits')
    runtime = Exported(logits, **known)
    labels = FastLabelMap.from_runtime(runtime)(images)
    assert torch.equal(runtime.images, NormaliseInPlace(**IMAGENET)(images))
    assert torch.equal(labels, upsampled_label_map(logits, (40, 56)))


def test_of_one_that_takes_images_and_gives_labels_nothing_is_left_to_do(images):
    labels = torch.arange(2 * 40 * 56).view(2, 40, 56)
    runtime = Exported(labels, **IMAGENET, test_cfg=None, input='image', output='labels')
    assert torch.equal(FastLabelMap.from_runtime(runtime)(images), labels)
    assert torch.equal(runtime.images, images)
