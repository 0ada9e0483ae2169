import warnings

import pytest
import timm
import torch

from segkd_mm.backbones import TimmTapBackbone
from segkd_mm.weights import WeightsError

ARCHS = ['mobilenetv3_small_100', 'resnet18', 'convnext_atto']
each_arch = pytest.mark.parametrize('arch', ARCHS)


def images(size=64):
    return torch.randn(1, 3, size, size, generator=torch.Generator().manual_seed(1))


def saved(arch, path, without=None):
    torch.manual_seed(0)
    net = timm.create_model(arch).eval()
    state = {key: value for key, value in net.state_dict().items() if key != without}
    torch.save(state, path)
    return net


@torch.no_grad()
def assert_strides(backbone, expected):
    features = backbone.eval()(images(96))
    assert backbone.strides == expected
    for feature, channels, stride in zip(features, backbone.channels, expected, strict=True):
        assert feature.shape == (1, channels, 96 // stride, 96 // stride)


@each_arch
def test_channels_and_strides_beside_the_model_are_those_measured(arch):
    backbone = TimmTapBackbone(arch)
    assert [tap.name for tap in backbone.taps] == ['low', 'mid', 'high', 'final']
    assert_strides(backbone, (4, 8, 16, 32))


@pytest.mark.parametrize(
    ('arch', 'output_stride'), [('mobilenetv3_small_100', 16), ('resnet18', 8)]
)
def test_the_output_stride_reaches_timm(arch, output_stride):
    strides = tuple(min(stride, output_stride) for stride in (4, 8, 16, 32))
    assert_strides(TimmTapBackbone(arch, output_stride), strides)


@each_arch
@torch.no_grad()
def test_a_file_gives_the_features_of_timms_own_model(arch, tmp_path):
    net = saved(arch, tmp_path / 'net.pth')
    backbone = TimmTapBackbone(arch, weights=str(tmp_path / 'net.pth')).eval()
    expected = net.forward_features(images())
    assert not torch.allclose(backbone(images())[-1], expected)
    backbone.init_weights()
    torch.testing.assert_close(backbone(images())[-1], expected)


def test_the_file_of_an_arch_with_two_classifiers_loads_without_them(tmp_path):
    net = saved('efficientformer_l1', tmp_path / 'net.pth', without='head_dist.weight')
    backbone = TimmTapBackbone('efficientformer_l1', weights=str(tmp_path / 'net.pth'))
    backbone.init_weights()
    stem = backbone.body.get_parameter('model.stem.conv1.weight')
    assert torch.equal(stem, net.get_parameter('stem.conv1.weight'))


def test_the_real_file_of_efficientnet_lite2_loads_without_a_warning(real_data):
    path = real_data / 'weights' / 'efficientnet_lite2_imagenet_timm.pth'
    backbone = TimmTapBackbone('tf_efficientnet_lite2', weights=str(path))
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        backbone.init_weights()
    held = torch.load(path, weights_only=True)
    state = backbone.body.state_dict()
    assert len(state) > 300
    for key, value in state.items():
        assert torch.equal(value, held[key].to(value.dtype)), key


@pytest.mark.parametrize('key', ['layer4.1.conv2.weight', 'layer1.0.bn1.running_var'])
def test_a_missing_key_is_an_error_that_names_file_and_key(tmp_path, key):
    saved('resnet18', tmp_path / 'short.pth', without=key)
    backbone = TimmTapBackbone('resnet18', weights=str(tmp_path / 'short.pth'))
    with pytest.raises(WeightsError, match=rf'short\.pth(.|\n)*missing: {key}'):
        backbone.init_weights()


def test_the_file_of_another_arch_is_an_error(tmp_path):
    saved('resnet18', tmp_path / 'r18.pth')
    backbone = TimmTapBackbone('mobilenetv3_small_100', weights=str(tmp_path / 'r18.pth'))
    with pytest.raises(WeightsError, match=r'r18\.pth does not fit MobileNetV3'):
        backbone.init_weights()


def test_weights_are_read_by_init_weights_and_not_before():
    backbone = TimmTapBackbone('resnet18', weights='/nowhere/r18.pth')
    with pytest.raises(WeightsError, match=r'No file of weights at /nowhere/r18\.pth'):
        backbone.init_weights()


def test_a_hub_out_of_reach_is_an_error_that_names_what_to_get(monkeypatch):
    monkeypatch.setattr('huggingface_hub.constants.HF_HUB_OFFLINE', True)
    monkeypatch.setattr('huggingface_hub.constants.HF_HUB_CACHE', '/nowhere')
    backbone = TimmTapBackbone('resnet18', weights='hub')
    with pytest.raises(WeightsError, match=r'timm model resnet18 .*Download timm/resnet18'):
        backbone.init_weights()


def test_a_forward_hook_on_the_submodule_of_a_tap_sees_its_feature():
    backbone = TimmTapBackbone('resnet18', taps=('mid', 'high'))
    seen = []
    backbone.get_submodule('high').register_forward_hook(lambda m, x, out: seen.append(out))
    _, high = backbone(images())
    assert len(seen) == 1
    assert seen[0] is high


def test_an_unknown_tap_is_refused_with_a_close_one():
    with pytest.raises(ValueError, match=r"no tap 'lwo' \(did you mean 'low'\?\)"):
        TimmTapBackbone('resnet18', taps=('lwo',))


def test_an_unknown_arch_is_refused_with_a_close_one():
    with pytest.raises(ValueError, match=r"no model 'resnet181' \(did you mean 'resnet18'"):
        TimmTapBackbone('resnet181')


@pytest.mark.parametrize('arch', ['resnet18', 'convnext_atto'])
def test_levels_behind_the_deepest_tap_are_not_built(arch):
    backbone = TimmTapBackbone(arch, taps=('low', 'mid'))
    sum(feature.sum() for feature in backbone(images())).backward()
    assert all(p.grad is not None for p in backbone.parameters())
    assert backbone.strides == (4, 8)


@torch.no_grad()
def test_the_levels_of_a_vision_transformer_are_its_blocks(tmp_path):
    net = saved('vit_tiny_patch16_224', tmp_path / 'vit.pth')
    settings = {'weights': str(tmp_path / 'vit.pth'), 'taps': ('mid', 'final')}
    last = TimmTapBackbone('vit_tiny_patch16_224', **settings).eval()
    chosen = {'out_indices': (1, 3, 5, 7), 'dynamic_img_size': True}
    spread = TimmTapBackbone('vit_tiny_patch16_224', options=chosen, **settings).eval()
    image = images(224)
    for backbone, blocks in ((last, [9, 11]), (spread, [3, 7])):
        backbone.init_weights()
        expected = net.forward_intermediates(image, blocks, intermediates_only=True)
        for feature, block in zip(backbone(image), expected, strict=True):
            torch.testing.assert_close(feature, block)
    assert (spread.channels, spread.strides) == ((192, 192), (16, 16))
    assert [x.shape for x in spread(images(96))] == 2 * [(1, 192, 6, 6)]
