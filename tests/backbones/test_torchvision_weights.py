import pytest
import torch
from mmseg.registry import MODELS
from torchvision.models import MobileNet_V2_Weights, get_model

from segkd_mm.backbones import TorchvisionTapBackbone
from segkd_mm.weights import WeightsError


def save(state, path):
    torch.save(state, path)
    return str(path)


def loaded(arch, weights, **kwargs):
    backbone = TorchvisionTapBackbone(arch, weights=weights, **kwargs)
    backbone.init_weights()
    return backbone


def assert_same(state, other):
    assert set(state) == set(other)
    for key, value in state.items():
        assert torch.equal(value, other[key].to(value.dtype)), key


@pytest.mark.parametrize(
    ('arch', 'output_stride', 'file'),
    [
        ('mobilenet_v2', 16, 'mobilenet_v2_imagenet.pth'),
        ('mobilenet_v3_large', 16, 'mobilenet_v3_large_rvm_features.pth'),
    ],
)
def test_real_files_of_torchvisions_keys_load_whole(real_data, arch, output_stride, file):
    path = real_data / 'weights' / file
    backbone = loaded(arch, str(path), output_stride=output_stride)
    held = torch.load(path, weights_only=True)
    expected = {k.removeprefix('features.'): v for k, v in held.items()}
    assert_same(backbone.body.state_dict(), expected)
    assert all(p.dtype == torch.float32 for p in backbone.parameters())


@pytest.mark.parametrize(
    ('arch', 'classifier', 'trunk'),
    [('mobilenet_v2', 'classifier.', 'features.'), ('resnet18', 'fc.', '')],
)
def test_a_classifiers_own_keys_are_left_out(tmp_path, arch, classifier, trunk):
    state = get_model(arch).state_dict()
    assert any(key.startswith(classifier) for key in state)
    backbone = loaded(arch, save(state, tmp_path / 'whole.pth'))
    expected = {
        key.removeprefix(trunk): v for key, v in state.items() if not key.startswith(classifier)
    }
    assert_same(backbone.body.state_dict(), expected)


def test_a_segmentors_checkpoint_gives_its_backbone(tmp_path):
    trained = TorchvisionTapBackbone('mobilenet_v3_small', taps=['low', 'final'])
    state = {f'backbone.{key}': value for key, value in trained.state_dict().items()}
    state |= {'decode_head.conv_seg.bias': torch.zeros(21), 'terms.high.adapter': torch.zeros(3)}
    backbone = loaded('mobilenet_v3_small', save(state, tmp_path / 'best.pth'), output_stride=16)
    assert_same(backbone.body.state_dict(), trained.body.state_dict())


def test_stages_that_are_not_built_are_left_out(tmp_path):
    state = get_model('resnet18').state_dict()
    backbone = loaded('resnet18', save(state, tmp_path / 'whole.pth'), taps=['low'])
    shallow = ('conv1.', 'bn1.', 'layer1.')
    expected = {key: value for key, value in state.items() if key.startswith(shallow)}
    assert_same(backbone.body.state_dict(), expected)


def test_a_missing_key_is_an_error_that_names_file_and_key(tmp_path):
    state = get_model('mobilenet_v2').state_dict()
    del state['features.3.conv.0.0.weight']
    path = save(state, tmp_path / 'short.pth')
    with pytest.raises(WeightsError, match=r'short\.pth(.|\n)*missing: 3\.conv\.0\.0\.weight'):
        loaded('mobilenet_v2', path)


def test_a_missing_key_of_a_stage_that_is_not_built_is_none(tmp_path):
    state = get_model('mobilenet_v2').state_dict()
    del state['features.18.0.weight']
    path = save(state, tmp_path / 'short.pth')
    loaded('mobilenet_v2', path, taps=['low'])
    with pytest.raises(WeightsError, match=r'missing: 18\.0\.weight'):
        loaded('mobilenet_v2', path)


def test_the_file_of_another_arch_is_an_error_and_loads_nothing(tmp_path):
    path = save(get_model('resnet18').state_dict(), tmp_path / 'r18.pth')
    backbone = TorchvisionTapBackbone('mobilenet_v2', weights=path)
    before = {key: value.clone() for key, value in backbone.state_dict().items()}
    with pytest.raises(WeightsError, match=r'r18\.pth does not fit'):
        backbone.init_weights()
    assert_same(backbone.state_dict(), before)


def test_weights_are_read_by_init_weights_and_not_before(tmp_path):
    path = tmp_path / 'later.pth'
    backbone = TorchvisionTapBackbone('resnet18', weights=str(path))
    with pytest.raises(WeightsError, match=r'No file of weights at .*later\.pth'):
        backbone.init_weights()
    state = get_model('resnet18').state_dict()
    save(state, path)
    backbone.init_weights()
    assert torch.equal(backbone.body.conv1.weight, state['conv1.weight'])


def test_without_weights_init_weights_leaves_the_trunk_alone():
    backbone = TorchvisionTapBackbone('resnet18')
    before = {key: value.clone() for key, value in backbone.state_dict().items()}
    backbone.init_weights()
    assert_same(backbone.state_dict(), before)


def test_a_segmentor_loads_its_backbones_weights_when_it_is_initialised(tmp_path):
    state = get_model('resnet18').state_dict()
    model = MODELS.build(
        dict(
            type='EncoderDecoder',
            backbone=dict(
                type='TorchvisionTapBackbone',
                arch='resnet18',
                weights=save(state, tmp_path / 'r18.pth'),
            ),
            decode_head=dict(type='LightASPPHead', in_channels=512, channels=8, num_classes=3),
        )
    )
    assert not torch.equal(model.backbone.body.conv1.weight, state['conv1.weight'])
    model.init_weights()
    assert torch.equal(model.backbone.body.conv1.weight, state['conv1.weight'])


def test_hub_means_torchvisions_default_weights(tmp_path, monkeypatch):
    state = get_model('mobilenet_v2').state_dict()
    save(state, tmp_path / 'hub.pth')
    default = MobileNet_V2_Weights.DEFAULT.value
    monkeypatch.setattr(default, 'url', (tmp_path / 'hub.pth').as_uri())
    stem = loaded('mobilenet_v2', 'hub').body.get_parameter('0.0.weight')
    assert torch.equal(stem, state['features.0.0.weight'])


def test_a_hub_out_of_reach_is_an_error_that_names_the_file_to_get(tmp_path, monkeypatch):
    monkeypatch.setenv('TORCH_HOME', str(tmp_path))
    monkeypatch.setenv('no_proxy', '*')
    default = MobileNet_V2_Weights.DEFAULT.value
    monkeypatch.setattr(default, 'url', 'http://127.0.0.1:9/models/mobilenet_v2-7ebf99e0.pth')
    message = r'Get the file mobilenet_v2-7ebf99e0\.pth in another.*config.*weights=None starts'
    with pytest.raises(WeightsError, match=message):
        loaded('mobilenet_v2', 'hub')
