import pytest
import timm
import torch
import torchvision
from mmseg.registry import MODELS

TRUNKS = {
    'mobilenet_v3_small': ('features.0.0.weight', '0.0.weight'),
    'mobilenet_v2': ('features.0.0.weight', '0.0.weight'),
    'resnet18': ('conv1.weight', 'conv1.weight'),
}


def folded(weight, channels):
    """timm's rule, written out: grey sums, more repeat and are scaled by 3 / channels."""
    red, green, blue = weight.unbind(1)
    if channels == 1:
        return (red + green + blue)[:, None]
    return torch.stack([red, green, blue, red, green], 1)[:, :channels] * 3 / channels


@pytest.mark.parametrize('channels', [1, 2, 5])
@pytest.mark.parametrize('arch', TRUNKS)
def test_torchvision_weights_are_folded_to_the_channels(arch, channels, tmp_path):
    torch.manual_seed(0)
    model = getattr(torchvision.models, arch)()
    torch.save(model.state_dict(), tmp_path / 'weights.pth')
    config = dict(type='TorchvisionTapBackbone', arch=arch, taps=('low',), in_channels=channels)
    backbone = MODELS.build({**config, 'weights': str(tmp_path / 'weights.pth')})
    backbone.init_weights()
    full, own = TRUNKS[arch]
    expected = folded(model.state_dict()[full], channels)
    torch.testing.assert_close(backbone.body.state_dict()[own], expected)
    (low,) = backbone.eval()(torch.randn(1, channels, 32, 32))
    assert low.shape[2:] == (8, 8)
    # A checkpoint with as many channels is loaded as it is.
    again = MODELS.build({**config, 'weights': str(tmp_path / 'own.pth')})
    torch.save({f'backbone.{k}': v for k, v in backbone.state_dict().items()}, tmp_path / 'own.pth')
    again.init_weights()
    assert torch.equal(again.body.state_dict()[own], backbone.body.state_dict()[own])


@pytest.mark.parametrize('channels', [1, 5])
def test_timm_weights_are_folded_to_the_channels(channels, tmp_path):
    torch.manual_seed(0)
    model = timm.create_model('mobilenetv3_small_050')
    torch.save(model.state_dict(), tmp_path / 'weights.pth')
    backbone = MODELS.build(
        dict(type='TimmTapBackbone', arch='mobilenetv3_small_050', in_channels=channels,
             weights=str(tmp_path / 'weights.pth'))
    )  # fmt: skip
    backbone.init_weights()
    expected = folded(model.conv_stem.weight, channels)
    torch.testing.assert_close(backbone.body.state_dict()['conv_stem.weight'], expected)
    assert backbone.in_channels == channels
    assert len(backbone.eval()(torch.randn(1, channels, 64, 64))) == 4


def test_random_weights_of_other_channels_have_torchvisions_spread():
    torch.manual_seed(0)
    config = dict(type='TorchvisionTapBackbone', arch='resnet18', taps=('low',), in_channels=4)
    conv = MODELS.build(config).body.conv1
    # Kaiming's: the square root of 2 / (output channels * kernel size).
    assert conv.weight.std().item() == pytest.approx((2 / (64 * 49)) ** 0.5, rel=0.05)
    with pytest.raises(ValueError, match='in_channels is 0, expected 1 or more'):
        MODELS.build({**config, 'in_channels': 0})
