from collections import OrderedDict
from math import ceil

import pytest
import torch
from mmseg.registry import MODELS
from torch import nn
from torchvision.models import get_model
from torchvision.models.feature_extraction import create_feature_extractor

from segkd_mm.backbones import TorchvisionTapBackbone

pytestmark = pytest.mark.slow

RESNET = {'low': 'layer1', 'mid': 'layer2', 'high': 'layer3', 'final': 'layer4'}
# By arch: torchvision's name of the module behind each tap.
NODES = {
    'mobilenet_v3_small': {'low': 'features.1', 'mid': 'features.3', 'high': 'features.8',
                           'last': 'features.11', 'final': 'features.12'},
    'mobilenet_v3_large': {'low': 'features.3', 'mid': 'features.6', 'high': 'features.12',
                           'last': 'features.15', 'final': 'features.16'},
    'mobilenet_v2': {'low': 'features.3', 'mid': 'features.6', 'high': 'features.13',
                     'last': 'features.17', 'final': 'features.18'},
    'resnet18': RESNET,
    'resnet50': RESNET,
    'resnet101': RESNET,
}  # fmt: skip
STRIDES = {'low': 4, 'mid': 8, 'high': 16, 'last': 32, 'final': 32}


def trunk_of(net):
    """A torchvision classifier without its pooling and classifier, with keys as ours below body."""
    if hasattr(net, 'features'):
        return net.features
    return nn.Sequential(OrderedDict(list(net.named_children())[:-2]))


def with_weights_of(net, arch, output_stride, taps=('low', 'mid', 'high', 'final')):
    backbone = TorchvisionTapBackbone(arch, output_stride, taps)
    backbone.body.load_state_dict(trunk_of(net).state_dict())
    return backbone.eval()


@torch.no_grad()
def with_lively_norms(net):
    """The net in evaluation mode, with statistics and factors that a wrong order would betray."""
    torch.manual_seed(0)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            for values in (module.running_var, module.weight):
                values.uniform_(0.5, 1.5)
            for values in (module.running_mean, module.bias):
                values.normal_(std=0.1)
    return net.eval()


def images(height=65, width=50):
    return torch.randn(1, 3, height, width, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize('arch', NODES)
@pytest.mark.parametrize('output_stride', [8, 16, 32])
def test_channels_and_strides_beside_the_model_are_those_measured(arch, output_stride):
    with torch.device('meta'):  # shapes alone, without the work
        backbone = TorchvisionTapBackbone(arch, output_stride, list(NODES[arch])).eval()
        assert backbone.strides == tuple(min(STRIDES[tap], output_stride) for tap in NODES[arch])
        for height, width in [(64, 64), (97, 63)]:
            features = backbone(torch.zeros(2, 3, height, width))
            assert [tuple(feature.shape) for feature in features] == [
                (2, channels, ceil(height / stride), ceil(width / stride))
                for channels, stride in zip(backbone.channels, backbone.strides, strict=True)
            ]


@pytest.mark.parametrize('arch', NODES)
@torch.no_grad()
def test_at_stride_32_the_features_are_torchvisions(arch):
    net = with_lively_norms(get_model(arch))
    backbone = with_weights_of(net, arch, 32, list(NODES[arch]))
    nodes = {node: tap for tap, node in NODES[arch].items()}
    theirs = create_feature_extractor(net, nodes)(images())
    ours = backbone.named_features(images())
    assert list(ours) == list(theirs)
    for tap, feature in ours.items():
        assert torch.equal(feature, theirs[tap]), tap


@pytest.mark.parametrize(
    ('arch', 'output_stride', 'dilated'),
    [
        ('mobilenet_v3_small', 16, dict(dilated=True)),
        ('mobilenet_v3_large', 16, dict(dilated=True)),
        ('resnet50', 16, dict(replace_stride_with_dilation=[False, False, True])),
        ('resnet50', 8, dict(replace_stride_with_dilation=[False, True, True])),
    ],
)
@torch.no_grad()
def test_where_torchvision_dilates_too_the_final_features_are_its(arch, output_stride, dilated):
    net = with_lively_norms(get_model(arch, **dilated))
    backbone = with_weights_of(net, arch, output_stride)
    assert torch.equal(backbone(images())[-1], trunk_of(net)(images()))


@pytest.mark.parametrize('arch', ['mobilenet_v2', 'resnet18', 'resnet50'])
@pytest.mark.parametrize('output_stride', [8, 16])
@torch.no_grad()
def test_dilated_features_at_every_other_place_are_the_strided_ones(arch, output_stride):
    # The à trous identity. MobileNetV3 has it not, whose squeeze-and-excitation looks at all places
    # at once.
    net = with_lively_norms(get_model(arch)).double()
    dense = with_weights_of(net, arch, output_stride).double()(images().double())[-1]
    step = 32 // output_stride
    strided = trunk_of(net)(images().double())
    assert strided.std() > 0.1
    torch.testing.assert_close(dense[:, :, ::step, ::step], strided)


def test_the_first_conv_of_a_dilated_resnet18_stage_keeps_the_dilation_before_it():
    body = TorchvisionTapBackbone('resnet18', 8).body
    blocks = [*body.layer2, *body.layer3, *body.layer4]
    assert [(block.conv1.dilation[0], block.conv2.dilation[0]) for block in blocks] == [
        (1, 1), (1, 1), (1, 2), (2, 2), (2, 4), (4, 4)
    ]  # fmt: skip


# By arch and output stride: stride and dilation of the depthwise conv in some blocks. In V2 the
# block that gives up its stride keeps the dilation before it, in V3 it dilates at once.
DEPTHWISE = [
    ('mobilenet_v2', 16, {13: (1, 1), 14: (1, 1), 15: (1, 2), 16: (1, 2), 17: (1, 2)}),
    ('mobilenet_v2', 8, {6: (1, 1), 7: (1, 1), 8: (1, 2), 14: (1, 2), 15: (1, 4), 17: (1, 4)}),
    ('mobilenet_v3_small', 8, {2: (2, 1), 3: (1, 1), 4: (1, 2), 8: (1, 2), 9: (1, 4), 11: (1, 4)}),
    (
        'mobilenet_v3_large',
        8,
        {4: (2, 1), 6: (1, 1), 7: (1, 2), 12: (1, 2), 13: (1, 4), 15: (1, 4)},
    ),
]


@pytest.mark.parametrize(('arch', 'output_stride', 'expected'), DEPTHWISE)
def test_depthwise_convs_dilate_where_they_may_not_stride(arch, output_stride, expected):
    body = TorchvisionTapBackbone(arch, output_stride).body
    found = {i: next(c for c in body[i].modules() if getattr(c, 'groups', 1) > 1) for i in expected}
    assert {i: (conv.stride[0], conv.dilation[0]) for i, conv in found.items()} == expected


@pytest.mark.parametrize(
    ('arch', 'tap', 'stages'),
    [
        ('mobilenet_v3_small', 'high', 9),
        ('mobilenet_v2', 'last', 18),
        ('mobilenet_v2', 'final', 19),
        ('resnet18', 'low', 5),  # conv1, bn1, relu, maxpool, layer1
    ],
)
def test_stages_behind_the_deepest_tap_are_not_built(arch, tap, stages):
    backbone = TorchvisionTapBackbone(arch, taps=[tap])
    assert len(backbone.body) == stages
    backbone(images())[0].square().sum().backward()
    assert all(p.grad is not None for p in backbone.parameters())


def test_features_come_in_the_order_of_the_taps():
    backbone = TorchvisionTapBackbone('resnet18', taps=('final', 'low'))
    assert backbone.channels == (512, 64)
    assert [feature.shape[1] for feature in backbone(images())] == [512, 64]


def test_a_forward_hook_on_the_submodule_of_a_tap_sees_its_feature():
    backbone = TorchvisionTapBackbone('mobilenet_v3_small', 16)
    seen = []
    backbone.get_submodule('high').register_forward_hook(lambda m, x, out: seen.append(out))
    features = backbone.named_features(images())
    assert len(seen) == 1
    assert seen[0] is features['high']


def test_the_taps_hold_no_keys():
    keys = TorchvisionTapBackbone('mobilenet_v3_small').state_dict()
    assert {key.split('.')[0] for key in keys} == {'body'}


def test_the_registry_builds_it():
    config = dict(type='TorchvisionTapBackbone', arch='resnet18', output_stride=8, taps=['mid'])
    assert MODELS.build(config).taps == (('mid', 128, 8),)


def test_an_unknown_tap_is_refused_with_a_close_one():
    with pytest.raises(ValueError, match=r"no tap 'hihg' \(did you mean 'high'\?\).*low .*, mid "):
        TorchvisionTapBackbone('resnet18', taps=('low', 'hihg'))


def test_a_tap_of_another_arch_is_refused():
    with pytest.raises(ValueError, match="no tap 'last'"):
        TorchvisionTapBackbone('resnet18', taps=('last',))


def test_an_unknown_arch_is_refused_with_the_list_of_all():
    with pytest.raises(ValueError, match=r"'resnet34'.*'resnet18', 'resnet50', 'resnet101'"):
        TorchvisionTapBackbone('resnet34')


@pytest.mark.parametrize('output_stride', [4, 64])
def test_an_output_stride_of_no_sense_is_refused(output_stride):
    with pytest.raises(ValueError, match=rf'{output_stride}, expected one of \(8, 16, 32\)'):
        TorchvisionTapBackbone('resnet18', output_stride)


@pytest.mark.parametrize('arch', NODES)
def test_the_statistics_of_the_start_are_forgotten_within_a_hundred_steps(arch):
    norms = [m for m in TorchvisionTapBackbone(arch).modules() if isinstance(m, nn.BatchNorm2d)]
    assert norms
    assert all((1 - norm.momentum) ** 100 < 1e-4 for norm in norms)
    eps = {m.eps for m in get_model(arch).modules() if isinstance(m, nn.BatchNorm2d)}
    assert {norm.eps for norm in norms} == eps
