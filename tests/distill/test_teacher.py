from copy import deepcopy
from functools import partialmethod

import mmcv
import pytest
import torch
from mmengine.config import Config
from mmseg.registry import MODELS
from torch import nn

from segkd_mm.config import load_config
from segkd_mm.distill import TapError, Taps, Teacher
from segkd_mm.distill.fuse_norms import fused
from segkd_mm.weights import WeightsError

pytestmark = pytest.mark.slow

CONV, NORM = (f'backbone.layer3.0.downsample.{number}' for number in (0, 1))


def small_segmentor(**preprocessor) -> dict:
    return {
        'type': 'EncoderDecoder',
        'data_preprocessor': {'type': 'SegDataPreProcessor', 'size_divisor': 1, **preprocessor},
        'backbone': {'type': 'ResNet', 'depth': 18, 'stem_channels': 8, 'base_channels': 8},
        'decode_head': {'type': 'LightASPPHead', 'in_channels': 64, 'in_index': 3, 'channels': 8,
                        'num_classes': 4, 'dropout_ratio': 0.5},
        'test_cfg': {'mode': 'whole'},
    }  # fmt: skip


@pytest.fixture
def build(tmp_path):
    def make(options=None, **preprocessor) -> Teacher:
        config = small_segmentor(**preprocessor)
        torch.manual_seed(7)
        model = MODELS.build(config)
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                for tensor in (module.running_var, module.weight.data):
                    tensor.uniform_(0.7, 1.4)
                for tensor in (module.running_mean, module.bias.data):
                    tensor.normal_(std=0.2)
        torch.save(model.state_dict(), tmp_path / 'teacher.pth')
        return Teacher(config, str(tmp_path / 'teacher.pth'), **(options or {}))

    return make


IMAGENET_RGB = {'mean': [123.675, 116.28, 103.53], 'std': [58.395, 57.12, 57.375],
                'bgr_to_rgb': True}  # fmt: skip
HALF_BGR = {'mean': [127.5] * 3, 'std': [127.5] * 3}


@pytest.mark.parametrize(
    ('student', 'teacher'),
    [(IMAGENET_RGB, HALF_BGR), (HALF_BGR, IMAGENET_RGB), (IMAGENET_RGB, {}), ({}, IMAGENET_RGB)],
)
def test_the_teacher_sees_its_own_normalisation_of_the_image(build, student, teacher, real_data):
    image = mmcv.imread(next((real_data / 'msrc_v2/JPEGImages').iterdir()))[:64, :96]
    batch = {'inputs': [torch.from_numpy(image.transpose(2, 0, 1).copy())]}
    teacher = build(**teacher)
    preprocessor = MODELS.build({'type': 'SegDataPreProcessor', **student})
    teacher.prepare(['decode_head.conv_seg'], preprocessor)
    through_student = teacher(preprocessor(batch)['inputs'])['decode_head.conv_seg']
    own = teacher.model(teacher.model.data_preprocessor(batch)['inputs'])
    # Pixel values that are not normalised make logits of some hundreds.
    torch.testing.assert_close(through_student, own, rtol=1e-4, atol=1e-4 * own.abs().max().item())


def test_like_normalisation_costs_nothing(build):
    teacher = build(**IMAGENET_RGB)
    teacher.prepare([], MODELS.build({'type': 'SegDataPreProcessor', **IMAGENET_RGB}))
    assert isinstance(teacher.renormalise, nn.Identity)


def test_the_teacher_stays_in_evaluation_mode_without_gradients(build):
    teacher = build()
    teacher.prepare(['decode_head.conv_seg'], teacher.model.data_preprocessor)
    teacher.train()
    assert not any(module.training for module in teacher.modules())
    assert not any(p.requires_grad for p in teacher.parameters())
    x = torch.randn(2, 3, 64, 64, requires_grad=True)
    first, second = (teacher(x)['decode_head.conv_seg'] for _ in range(2))
    assert torch.equal(first, second)  # dropout of 0.5 is off
    assert not first.requires_grad


def centres(width):
    return (torch.arange(width) + 0.5) / width


def logits_of(teacher, images):
    teacher.prepare(['decode_head.conv_seg'], teacher.model.data_preprocessor)
    return teacher(images)['decode_head.conv_seg']


@pytest.mark.parametrize(
    ('options', 'size'),
    [
        # 1.5 times 64 x 96, and that up to multiples of 56; 1 times up to multiples of 56.
        ({'input_scale': 1.5}, (96, 144)),
        ({'input_scale': 1.5, 'size_divisor': 56}, (112, 168)),
        ({'size_divisor': 56}, (112, 112)),
        ({'size_divisor': 32}, (64, 96)),
    ],
)
def test_the_teacher_sees_the_size_that_it_asks_for(build, options, size, monkeypatch):
    teacher = build(options)
    seen = []
    teacher.prepare([], teacher.model.data_preprocessor)
    monkeypatch.setattr(teacher.model, 'forward', lambda x, mode: seen.append(x) or seen[0])
    # Each pixel holds where its centre lies in the image: features stay aligned if it still does.
    teacher(centres(96).expand(1, 3, 64, 96))
    assert tuple(seen[0].shape[2:]) == size
    inside = slice(2, -2)  # beyond the first and last centre there is nothing to interpolate to
    expected = centres(size[1])[inside].expand(size[0], -1)
    torch.testing.assert_close(seen[0][0, 0, :, inside], expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize(
    ('precision', 'dtype'), [('bf16', torch.bfloat16), ('fp16', torch.float16)]
)
def test_half_precision_is_near_and_is_what_is_computed_in(build, precision, dtype):
    images = torch.randn(2, 3, 64, 96)
    exact = logits_of(build(), images)
    teacher = build({'precision': precision})
    # A norm whose convolution is tapped does not become part of it.
    teacher.prepare(['decode_head.conv_seg', CONV], teacher.model.data_preprocessor)
    half = teacher(images)['decode_head.conv_seg']
    assert half.dtype == dtype
    weight = teacher.model.get_submodule(CONV).weight
    assert weight.dtype == dtype and weight.is_contiguous(memory_format=torch.channels_last)
    assert teacher.model.get_submodule(NORM).running_var.dtype == torch.float32
    error = (half.float() - exact).norm() / exact.norm()
    assert 0 < error < 0.05


@pytest.mark.parametrize(('native', 'dtype'), [(True, torch.bfloat16), (False, torch.float32)])
def test_by_default_it_is_in_bf16_where_the_device_is(build, monkeypatch, native, dtype):
    monkeypatch.setattr(f'{Teacher.__module__}.has_bf16', lambda device: native)
    images = torch.randn(1, 3, 64, 96)
    teacher, exact = build(), build({'precision': 'fp32'})
    for one in (teacher, exact):
        assert logits_of(one, images).dtype == torch.float32  # it was not moved yet
        one.to('cpu')
    assert teacher(images)['decode_head.conv_seg'].dtype == dtype
    weight = teacher.model.backbone.conv1.weight
    assert weight.dtype == dtype
    assert weight.is_contiguous(memory_format=torch.channels_last) == native
    with torch.autocast('cpu', torch.bfloat16):
        # Without a precision of its own it keeps to that of the training.
        assert teacher(images)['decode_head.conv_seg'].dtype == torch.bfloat16
        assert exact(images)['decode_head.conv_seg'].dtype == torch.float32


def test_channels_last_is_the_format_of_the_weights_and_changes_no_value(build):
    images = torch.randn(2, 3, 64, 96)
    teacher = build({'channels_last': True})
    exact = logits_of(build(), images)
    torch.testing.assert_close(logits_of(teacher, images), exact, rtol=1e-3, atol=1e-3)
    weight = teacher.model.backbone.conv1.weight
    assert weight.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize(
    ('taps', 'is_fused'),
    [
        (['decode_head.conv_seg'], True),
        (['decode_head.conv_seg', 'backbone.layer3', NORM], True),
        (['decode_head.conv_seg', CONV], False),
    ],
)
def test_norms_become_part_of_convolutions_where_the_taps_stay_as_they_are(build, taps, is_fused):
    images = torch.randn(2, 3, 64, 96)
    teacher, plain = build(), build()
    teacher.prepare(taps, teacher.model.data_preprocessor)
    norms = [m for m in teacher.modules() if isinstance(m, nn.BatchNorm2d)]
    assert bool(norms) is not is_fused
    assert not any(module.training for module in teacher.modules())
    assert not any(p.requires_grad for p in teacher.parameters())
    given = teacher(images)
    with torch.no_grad(), Taps(plain.model, taps) as kept:
        plain.model(images, mode='tensor')
    expected = kept.pop()
    for tap in taps:
        scale = expected[tap].abs().max().item()
        torch.testing.assert_close(given[tap], expected[tap], rtol=0, atol=1e-5 * scale)


class NormFirst(nn.Module):
    """The norm is listed after the convolution, but comes before it."""

    def __init__(self, out: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, out, 1)
        self.norm = nn.BatchNorm2d(3)
        self.norm.running_mean += 1

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv(self.norm(x))


@pytest.mark.parametrize('out', [3, 4])
def test_a_norm_that_does_not_follow_its_convolution_stays(out):
    model, image = NormFirst(out).eval(), torch.randn(1, 3, 8, 8)
    assert fused(model, lambda m: [m(image)]) is model


def test_a_compiled_teacher_gives_the_same_taps_at_every_size(build, monkeypatch):
    # Tracing and its guards are what may miss a tap; making C++ of the graph takes a minute.
    monkeypatch.setattr(nn.Module, 'compile', partialmethod(nn.Module.compile, backend='eager'))
    teacher, plain = build({'compile': True}), build()
    for height in (64, 96, 64):
        images = torch.randn(2, 3, height, 64)
        torch.testing.assert_close(
            logits_of(teacher, images), logits_of(plain, images), rtol=1e-3, atol=1e-4
        )


@pytest.mark.parametrize(
    ('options', 'match'),
    [
        ({'precision': 'half'}, "precision is 'half', expected None or one of"),
        ({'input_scale': 0}, 'input_scale is 0 and size_divisor 1, expected above 0'),
        ({'size_divisor': 0}, 'size_divisor 0'),
    ],
)
def test_an_option_out_of_range_is_an_error(build, options, match):
    with pytest.raises(ValueError, match=match):
        build(options)


def test_a_copy_of_what_is_around_it_shares_the_teacher(build):
    teacher = build()
    assert deepcopy({'teacher': teacher})['teacher'] is teacher


def test_wrong_weights_are_an_error_and_never_a_random_teacher(tmp_path):
    config = small_segmentor()
    state = MODELS.build(config).state_dict()
    state['backbone.conv1.weihgt'] = state.pop('backbone.conv1.weight')
    torch.save(state, tmp_path / 'renamed.pth')
    with pytest.raises(WeightsError, match=r'missing: backbone\.conv1\.weight'):
        Teacher(config, str(tmp_path / 'renamed.pth'))
    with pytest.raises(WeightsError, match=r'No file of weights at .*absent\.pth'):
        Teacher(config, str(tmp_path / 'absent.pth'))


def test_a_config_file_names_the_teacher(tmp_path):
    config = small_segmentor()
    Config({'model': config}).dump(tmp_path / 'config.py')
    torch.save(MODELS.build(config).state_dict(), tmp_path / 'weights.pth')
    teacher = Teacher(str(tmp_path / 'config.py'), str(tmp_path / 'weights.pth'))
    assert teacher.model.num_classes == 4
    with pytest.raises(FileNotFoundError, match=r'config file .*absent\.py, which does not exist'):
        Teacher(str(tmp_path / 'absent.py'), str(tmp_path / 'weights.pth'))


def test_an_unknown_tap_is_an_error_before_any_image(build):
    teacher = build()
    with pytest.raises(TapError, match=r'did you mean .decode_head\.conv_seg'):
        teacher.prepare(['decode_head.conv_sge'], teacher.model.data_preprocessor)


@pytest.mark.parametrize('name', ['fcn_r50', 'deeplabv3_r50'])
def test_torchvision_teachers_hold_torchvisions_keys_and_give_its_logits(name, tmp_path):
    from torchvision.models import get_model

    config = load_config(f'teacher/{name}_voc.py').model
    net = get_model(config.arch, weights=None, weights_backbone=None, num_classes=21, aux_loss=True)
    torch.save(net.state_dict(), tmp_path / 'net.pth')
    teacher = Teacher(config, str(tmp_path / 'net.pth'))
    teacher.prepare(['classifier', 'backbone.layer3'], teacher.model.data_preprocessor)
    x = torch.randn(1, 3, 64, 80)
    tapped = teacher(x)
    with torch.no_grad():
        expected = net.eval()(x)['out']
    upsampled = nn.functional.interpolate(tapped['classifier'], (64, 80), mode='bilinear')
    assert torch.allclose(upsampled, expected, atol=1e-4)
    assert tapped['backbone.layer3'].shape == (1, 1024, 8, 10)
