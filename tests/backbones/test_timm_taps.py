import warnings

import pytest
import timm
import torch

from segkd_mm.backbones import TimmTapBackbone
from segkd_mm.weights import WeightsError

pytestmark = pytest.mark.slow

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
    match = r'timm model resnet18 .*Download timm/resnet18.*="/path"; weights=None starts from'
    with pytest.raises(WeightsError, match=match):
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


@pytest.mark.parametrize(
    ('arch', 'final'),
    [
        ('repvit_m0_9', '384 channels, stride 32'),
        ('starnet_s1', '192 channels, stride 32'),
        ('ghostnet_100', '160 channels, stride 32'),
        ('shvit_s1', '320 channels, stride 64'),
    ],
)
def test_a_trunk_that_cannot_dilate_says_which_taps_it_has(arch, final):
    match = rf'{arch} cannot have output_stride=16. Its taps are .*final \({final}\)'
    with pytest.raises(ValueError, match=match):
        TimmTapBackbone(arch, output_stride=16)


def test_an_output_stride_that_timm_would_ignore_is_refused():
    with pytest.raises(ValueError, match='resnet18 cannot have output_stride=64'):
        TimmTapBackbone('resnet18', output_stride=64)


def test_a_trunk_of_three_levels_gives_them_all():
    with torch.device('meta'):  # shapes alone, without the work
        backbone = TimmTapBackbone('shvit_s1')
        features = backbone(torch.zeros(2, 3, 128, 192))
    assert [tap.name for tap in backbone.taps] == ['mid', 'high', 'final']
    assert backbone.strides == (16, 32, 64)
    assert [x.shape for x in features] == [(2, 128, 8, 12), (2, 224, 4, 6), (2, 320, 2, 3)]


def test_a_missing_tap_is_an_error_that_lists_those_that_there_are():
    match = r"no tap 'low'; it has mid \(128 channels, stride 16\), high \(224 channels, stride 32"
    with torch.device('meta'), pytest.raises(ValueError, match=match):
        TimmTapBackbone('shvit_s1', taps=('low', 'mid'))


def test_vision_transformers_take_images_of_any_size():
    with torch.device('meta'):
        backbone = TimmTapBackbone('vit_small_patch16_dinov3', output_stride=16)
        features = backbone(torch.zeros(2, 3, 64, 96))
    assert [x.shape for x in features] == 3 * [(2, 384, 4, 6)]
    assert backbone.strides == (16, 16, 16)


@torch.no_grad()
def test_a_trunk_with_the_channels_last_gives_them_first(tmp_path):
    arch = 'swin_tiny_patch4_window7_224'
    net = saved(arch, tmp_path / 'swin.pth')
    backbone = TimmTapBackbone(arch, weights=str(tmp_path / 'swin.pth')).eval()
    backbone.init_weights()
    expected = net.forward_intermediates(images(224), intermediates_only=True)
    for feature, level in zip(backbone(images(224)), expected, strict=True):
        torch.testing.assert_close(feature, level)
    assert [x.shape[1:] for x in backbone(images(64))] == [
        (channels, 64 // stride, 64 // stride)
        for channels, stride in zip((96, 192, 384, 768), (4, 8, 16, 32), strict=True)
    ]


def test_a_trunk_of_one_image_size_names_it_and_is_built_for_another():
    with torch.device('meta'):
        backbone = TimmTapBackbone('efficientformerv2_s0')
        match = r'built for images of 224 x 224 pixels and fails at 64 x 96 .*img_size=\(64, 96\)'
        with pytest.raises(ValueError, match=match):
            backbone(torch.zeros(1, 3, 64, 96))
        backbone = TimmTapBackbone('efficientformerv2_s0', options={'img_size': (64, 96)})
        features = backbone(torch.zeros(1, 3, 64, 96))
    assert [x.shape[2:] for x in features] == [(16, 24), (8, 12), (4, 6), (2, 3)]


STUDENT_TRUNKS = ['mobilenetv4_conv_small', 'repvit_m0_9', 'edgenext_x_small', 'starnet_s1',
                  'hgnetv2_b0']  # fmt: skip


@pytest.mark.parametrize('arch', STUDENT_TRUNKS)
@torch.no_grad()
def test_a_file_of_timm_loads_into_the_trunks_of_our_students(arch, tmp_path):
    net = saved(arch, tmp_path / 'net.pth')
    backbone = TimmTapBackbone(arch, weights=str(tmp_path / 'net.pth')).eval()
    backbone.init_weights()
    torch.testing.assert_close(backbone(images())[-1], net.forward_features(images()))
