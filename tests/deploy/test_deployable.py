"""Re-parameterisable trunks are fused where a model is deployed, with the same logits."""

from copy import deepcopy

import pytest
import torch
from timm.layers import Conv2dSame
from tiny_student import tiny_student
from torch import nn

from segkd_mm.backbones.timm_taps import TimmTapBackbone
from segkd_mm.deploy.loading import deployable


class Parallel(nn.Conv2d):
    """A module of somebody else's, whose ``fuse`` is something else."""

    def fuse(self):
        raise AssertionError('it is not for this')


def used(model):
    """A model whose norms hold other than their first statistics."""
    torch.manual_seed(0)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_var, 0.5, 2)
            nn.init.normal_(module.running_mean, std=0.1)
            nn.init.uniform_(module.weight, 0.5, 1.5)
    return model.eval()


def count(model, kind):
    return sum(isinstance(module, kind) for module in model.modules())


@pytest.mark.parametrize('arch', ['mobileone_s0', 'repvit_m0_9', 'fastvit_t8', 'repghostnet_050'])
def test_a_trunk_is_fused_and_gives_the_same_features(arch):
    trunk = used(TimmTapBackbone(arch))
    fused = deployable(nn.Sequential(deepcopy(trunk)))[0]
    image = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        expected, found = trunk(image), fused(image)
    for x, y in zip(expected, found, strict=True):
        torch.testing.assert_close(y, x, rtol=1e-3, atol=1e-4 * x.abs().max().item())
    assert count(fused, nn.BatchNorm2d) < count(trunk, nn.BatchNorm2d) / 2
    assert sum(p.numel() for p in fused.parameters()) < sum(p.numel() for p in trunk.parameters())


@pytest.mark.parametrize('size', [(64, 96), (65, 98), (91, 33)])
@pytest.mark.parametrize('arch', ['tf_efficientnet_lite0', 'tf_mobilenetv3_small_minimal_100'])
def test_a_trunk_without_tensorflows_padding_gives_the_same_features(arch, size):
    trunk = used(TimmTapBackbone(arch))
    plain = deployable(nn.Sequential(deepcopy(trunk)))[0]
    image = torch.randn(2, 3, *size)
    with torch.no_grad():
        expected, found = trunk(image), plain(image)
    for x, y in zip(expected, found, strict=True):
        torch.testing.assert_close(y, x, rtol=1e-4, atol=1e-5 * x.abs().max().item())
    assert count(trunk, Conv2dSame) > count(plain, Conv2dSame) == 0
    assert not {*plain.state_dict()} & {*trunk.state_dict()}  # others cannot load mirrored kernels


@pytest.mark.parametrize(
    ('kernel', 'settings', 'left'),
    [(3, dict(stride=2), 0), ((5, 3), dict(stride=(2, 1), dilation=2), 0), (5, dict(groups=2), 0),
     (4, dict(stride=2), 1), (3, dict(stride=3), 1), (1, dict(stride=2), 1)],
)  # fmt: skip
def test_padding_that_is_not_of_the_mirrored_image_is_left(kernel, settings, left):
    net = nn.Sequential(Conv2dSame(2, 4, kernel, **settings)).eval()
    images = [torch.randn(1, 2, side, side + 5) for side in (32, 33, 34, 35)]
    expected = [net(image) for image in images]
    assert count(deployable(net), Conv2dSame) == left
    for image, wanted in zip(images, expected, strict=True):
        torch.testing.assert_close(net(image), wanted)


def test_what_is_not_timms_is_left_alone():
    student = tiny_student()
    student.backbone.extra = Parallel(1, 1, 1)
    assert deployable(student).backbone.extra.weight.shape == (1, 1, 1, 1)
    assert not hasattr(student, 'auxiliary_head')
