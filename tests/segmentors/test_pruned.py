import sys

import pytest
import torch
from mmengine.config import Config
from mmseg.registry import MODELS
from torch import nn

from segkd_mm.segmentors.channel_pruning import remove_channels


def student(**other) -> dict:
    return {
        'backbone': {'type': 'TorchvisionTapBackbone', 'arch': 'resnet18'},
        'decode_head': {'type': 'LightASPPHead', 'in_channels': 512, 'in_index': 3, 'channels': 64,
                        'num_classes': 32},
        'auxiliary_head': {'type': 'FCNHead', 'in_channels': 256, 'in_index': 2, 'channels': 32,
                           'num_classes': 32},
        'test_cfg': {'mode': 'whole'},
        **other,
    }  # fmt: skip


def build(type_='PrunedEncoderDecoder', **other) -> nn.Module:
    return MODELS.build({'type': type_, **student(**other)}).eval()


def silence_odd_channels(net: nn.Module) -> None:
    """Let every second channel of every layer but the last ones be 0."""
    for name, module in net.named_modules():
        if isinstance(module, nn.Conv2d | nn.BatchNorm2d) and not name.endswith('conv_seg'):
            for tensor in filter(None.__ne__, (module.weight, module.bias)):
                tensor.data[1::2] = 0


def test_layers_lose_their_share_but_not_those_of_classes_and_of_what_is_added():
    model = build(ratio=0.5)
    shapes = {name: tuple(p.shape) for name, p in model.named_parameters()}
    assert shapes['backbone.body.conv1.weight'] == (64, 3, 7, 7)  # a residual block adds to it
    assert shapes['backbone.body.layer4.1.conv1.weight'] == (256, 512, 3, 3)
    assert shapes['backbone.body.layer4.1.conv2.weight'] == (512, 256, 3, 3)
    assert shapes['decode_head.conv_seg.weight'] == (32, 32, 1, 1)
    assert shapes['auxiliary_head.conv_seg.weight'] == (32, 16, 1, 1)


def test_what_stays_is_a_multiple_of_8_and_8_at_least():
    layer4 = [build(ratio=ratio).backbone.body.layer4[0].conv1 for ratio in (0.3, 0.995)]
    assert [conv.out_channels for conv in layer4] == [352, 8]  # of 512 * 0.7 = 358.4, and of 2.56


def test_layers_that_are_frozen_or_that_no_head_uses_lose_theirs_too():
    head = {**student()['decode_head'], 'in_channels': 256, 'in_index': 2}
    model = build('EncoderDecoder', decode_head=head, auxiliary_head=None).train()
    model.backbone.requires_grad_(False)
    remove_channels(model, 0.5)
    assert model.training
    for stage in (model.backbone.body.layer1, model.backbone.body.layer4):
        assert stage[0].conv1.out_channels == stage[0].conv2.out_channels / 2
        assert not stage[0].conv1.weight.requires_grad


@torch.no_grad()
def test_a_training_starts_from_the_channels_of_largest_magnitude(tmp_path):
    full = build('EncoderDecoder')
    silence_odd_channels(full)
    # As a distiller's checkpoint holds it.
    torch.save({'state_dict': {**full.state_dict(), 'terms.a': torch.zeros(1)}}, tmp_path / 'a.pth')
    pruned = build(ratio=0.5, unpruned=str(tmp_path / 'a.pth'))
    pruned.init_weights()
    image = torch.randn(2, 3, 96, 64)
    logits = full(image)
    assert logits.std() > 1e-3
    torch.testing.assert_close(pruned(image), logits)
    auxiliary = full.auxiliary_head(full.extract_feat(image))
    torch.testing.assert_close(pruned.auxiliary_head(pruned.extract_feat(image)), auxiliary)


def test_without_a_checkpoint_it_starts_from_the_weights_of_the_trunk(tmp_path):
    trunk = build('EncoderDecoder').backbone
    silence_odd_channels(trunk)
    torch.save(trunk.body.state_dict(), tmp_path / 'trunk.pth')
    weights = {**student()['backbone'], 'weights': str(tmp_path / 'trunk.pth')}
    pruned = build(ratio=0.5, backbone=weights)
    pruned.init_weights()
    expected = trunk.body.layer1[0].conv1.weight[::2]
    torch.testing.assert_close(pruned.backbone.body.layer1[0].conv1.weight, expected)


def test_shapes_do_not_depend_on_the_weights():
    config = Config.fromfile('configs/_base_/students/mnv3s_pico.py').student
    config.update(type='PrunedEncoderDecoder', ratio=0.3)

    def shapes(seed: int) -> list[torch.Size]:
        torch.manual_seed(seed)
        return [value.shape for value in MODELS.build(config).state_dict().values()]

    assert shapes(0) == shapes(1)


@pytest.mark.parametrize('ratio', [0, 1, -0.2, '0.2'])
def test_a_ratio_out_of_range_is_an_error(ratio):
    with pytest.raises(ValueError, match='expected more than 0 and less than 1'):
        build(ratio=ratio)


@pytest.mark.parametrize(
    ('trunk', 'head', 'names'),
    [
        ('efficientvit_b0', 'LightASPPHead', 'TimmTapBackbone with LightASPPHead'),
        ('lcnet_050', 'GCHead', 'TimmTapBackbone with GCHead'),
    ],
)
def test_a_model_that_cannot_be_pruned_is_an_error_that_names_its_parts(trunk, head, names):
    backbone = {'type': 'TimmTapBackbone', 'arch': trunk}
    channels = {'efficientvit_b0': 128, 'lcnet_050': 256}[trunk]
    extra = {'ratio': 0.25, 'pooling_type': 'att', 'fusion_types': ('channel_add',)}
    head = {**student()['decode_head'], 'type': head, 'in_channels': channels,
            **(extra if head == 'GCHead' else {})}  # fmt: skip
    with pytest.raises(ValueError, match=f'{names} cannot be pruned'):
        build(ratio=0.5, backbone=backbone, decode_head=head, auxiliary_head=None)


def test_without_torch_pruning_the_error_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, 'torch_pruning', None)
    with pytest.raises(ImportError, match=r'segkd_mm\[prune\]'):
        build(ratio=0.5)
