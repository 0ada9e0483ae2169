"""torchvision classifier trunks with a chosen output stride (dilation instead of stride).

torchvision dilates only ResNet-50/101 and the last stage of MobileNetV3. Here every trunk is built
with its dilations. The keys and, at stride 32, the outputs are torchvision's.
"""

from collections import OrderedDict
from collections.abc import Callable
from functools import partial

import torch
from torch import nn
from torchvision.models import MobileNetV2, MobileNetV3, resnet
from torchvision.models.mobilenetv2 import InvertedResidual
from torchvision.models.mobilenetv3 import _mobilenet_v3_conf
from torchvision.ops.misc import Conv2dNormActivation

OUTPUT_STRIDES = (8, 16, 32)


def build_trunk(arch: str, output_stride: int, in_channels: int = 3) -> nn.Sequential:
    """Build the trunk of a torchvision classifier as a sequence of its stages.

    Args:
        arch: ``mobilenet_v3_small``, ``mobilenet_v3_large``, ``mobilenet_v2``, ``resnet18``,
            ``resnet50`` or ``resnet101``.
        output_stride: 8, 16 or 32; deeper stages dilate instead of striding.
        in_channels: Channels of the images.
    """
    if output_stride not in OUTPUT_STRIDES:
        raise ValueError(f'output_stride is {output_stride}, expected one of {OUTPUT_STRIDES}.')
    if arch.startswith('mobilenet_v3'):
        trunk = _mobilenet_v3(arch, output_stride)
    elif arch == 'mobilenet_v2':
        trunk = _mobilenet_v2(output_stride)
    else:
        trunk = _resnet(arch, output_stride)
    if in_channels != 3:
        _set_in_channels(trunk, in_channels)
    return trunk


def _set_in_channels(trunk: nn.Module, in_channels: int) -> None:
    """Give the first convolution another number of channels, initialised as by torchvision."""
    conv = next(module for module in trunk.modules() if isinstance(module, nn.Conv2d))
    conv.in_channels = in_channels
    conv.weight = nn.Parameter(torch.empty(conv.out_channels, in_channels, *conv.kernel_size))
    nn.init.kaiming_normal_(conv.weight, mode='fan_out')


def _mobilenet_v3(arch: str, output_stride: int) -> nn.Sequential:
    settings, last_channel = _mobilenet_v3_conf(arch)
    stride, dilation = 2, 1  # after the stem
    for block in settings:
        if stride * block.stride > output_stride:
            dilation *= block.stride
        else:
            stride *= block.stride
        # As in torchvision's dilated variant, the block that loses its stride is itself dilated;
        # a dilated block sets its own stride to 1.
        block.dilation = dilation
    # With torchvision's momentum of 0.01 the running statistics keep their initial values for some
    # 500 steps, so that validation is meaningless in short trainings. Training does not use them.
    norm = partial(nn.BatchNorm2d, eps=0.001, momentum=0.1)
    return MobileNetV3(settings, last_channel, norm_layer=norm).features


class _DilatedInvertedResidual(InvertedResidual):
    """torchvision's MobileNetV2 block, with a dilation argument."""

    def __init__(
        self,
        inp: int,
        oup: int,
        stride: int,
        expand_ratio: int,
        norm_layer: Callable[..., nn.Module],
        dilation: int,
    ) -> None:
        super().__init__(inp, oup, stride, expand_ratio, norm_layer)
        layers = list(self.conv)
        layers[-3] = Conv2dNormActivation(
            inp * expand_ratio,
            inp * expand_ratio,
            stride=stride,
            dilation=dilation,
            groups=inp * expand_ratio,
            norm_layer=norm_layer,
            activation_layer=nn.ReLU6,
        )
        self.conv = nn.Sequential(*layers)


def _mobilenet_v2(output_stride: int) -> nn.Sequential:
    current = {'stride': 2, 'dilation': 1}  # after the stem

    def block(
        inp: int, oup: int, stride: int, expand_ratio: int, norm_layer: Callable[..., nn.Module]
    ) -> nn.Module:
        dilation = current['dilation']  # of the previous blocks, as in DeepLab and torchvision
        if current['stride'] * stride > output_stride:
            current['dilation'] *= stride
            stride = 1
        current['stride'] *= stride
        return _DilatedInvertedResidual(inp, oup, stride, expand_ratio, norm_layer, dilation)

    return MobileNetV2(block=block).features


class _DilatedBasicBlock(resnet.BasicBlock):
    """torchvision's ResNet BasicBlock, with dilation, which torchvision refuses."""

    def __init__(
        self,
        inplanes: int,
        planes: int,
        stride: int = 1,
        downsample: nn.Module | None = None,
        groups: int = 1,
        base_width: int = 64,
        dilation: int = 1,
        norm_layer: Callable[..., nn.Module] | None = None,
    ) -> None:
        super().__init__(inplanes, planes, stride, downsample, groups, base_width, 1, norm_layer)
        # The first block of a stage gets the dilation of the stage before. If it lost its stride,
        # its second conv would have run at half the resolution: it needs twice the dilation.
        lost_stride = downsample is not None and stride == 1
        self.conv1 = resnet.conv3x3(inplanes, planes, stride, dilation=dilation)
        self.conv2 = resnet.conv3x3(planes, planes, dilation=dilation * (1 + lost_stride))


_RESNETS = {
    'resnet18': (_DilatedBasicBlock, [2, 2, 2, 2]),
    'resnet50': (resnet.Bottleneck, [3, 4, 6, 3]),
    'resnet101': (resnet.Bottleneck, [3, 4, 23, 3]),
}


def _resnet(arch: str, output_stride: int) -> nn.Sequential:
    block, layers = _RESNETS[arch]
    dilate = [False, output_stride <= 8, output_stride <= 16]
    net = resnet.ResNet(block, layers, replace_stride_with_dilation=dilate)
    stages = list(net.named_children())[:-2]  # without avgpool and fc
    return nn.Sequential(OrderedDict(stages))
