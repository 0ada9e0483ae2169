"""torchvision's trunks at a chosen output stride: dilation takes the place of stride.

torchvision dilates ResNet-50/101 and the last stage of MobileNetV3 only. Here every trunk is built
with its dilations from the start; keys and, at stride 32, outputs are torchvision's.
"""

from collections import OrderedDict
from collections.abc import Callable
from functools import partial

from torch import nn
from torchvision.models import MobileNetV2, MobileNetV3, resnet
from torchvision.models.mobilenetv2 import InvertedResidual
from torchvision.models.mobilenetv3 import _mobilenet_v3_conf
from torchvision.ops.misc import Conv2dNormActivation

OUTPUT_STRIDES = (8, 16, 32)


def build_trunk(arch: str, output_stride: int) -> nn.Sequential:
    """The trunk of a torchvision classifier, as a sequence of its stages.

    Args:
        arch: ``mobilenet_v3_small``, ``mobilenet_v3_large``, ``mobilenet_v2``, ``resnet18``,
            ``resnet50`` or ``resnet101``.
        output_stride: 8, 16 or 32; stages beyond it keep resolution and dilate.
    """
    if output_stride not in OUTPUT_STRIDES:
        raise ValueError(f'output_stride is {output_stride}, expected one of {OUTPUT_STRIDES}.')
    if arch.startswith('mobilenet_v3'):
        return _mobilenet_v3(arch, output_stride)
    if arch == 'mobilenet_v2':
        return _mobilenet_v2(output_stride)
    return _resnet(arch, output_stride)


def _mobilenet_v3(arch: str, output_stride: int) -> nn.Sequential:
    settings, last_channel = _mobilenet_v3_conf(arch)
    stride, dilation = 2, 1  # after the stem
    for block in settings:
        if stride * block.stride > output_stride:
            dilation *= block.stride
        else:
            stride *= block.stride
        # As in torchvision's dilated variant the block that gives up its stride dilates at once;
        # a dilated block drops its stride by itself.
        block.dilation = dilation
    # torchvision's momentum of 0.01 takes some 500 steps to forget the statistics of the start, so
    # that validation tells nothing in short trainings. Training itself does not depend on it.
    norm = partial(nn.BatchNorm2d, eps=0.001, momentum=0.1)
    return MobileNetV3(settings, last_channel, norm_layer=norm).features


class _DilatedInvertedResidual(InvertedResidual):
    """torchvision's MobileNetV2 block with a dilation, which that has not."""

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
    now = {'stride': 2, 'dilation': 1}  # after the stem

    def block(
        inp: int, oup: int, stride: int, expand_ratio: int, norm_layer: Callable[..., nn.Module]
    ) -> nn.Module:
        dilation = now['dilation']  # that of the blocks before, as in DeepLab and torchvision
        if now['stride'] * stride > output_stride:
            now['dilation'] *= stride
            stride = 1
        now['stride'] *= stride
        return _DilatedInvertedResidual(inp, oup, stride, expand_ratio, norm_layer, dilation)

    return MobileNetV2(block=block).features


class _DilatedBasicBlock(resnet.BasicBlock):
    """torchvision's BasicBlock, which refuses a dilation, with one."""

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
        # The first block of a stage is told the dilation before it. Where it gave up its stride,
        # its second conv would have worked on half the resolution, and dilates as much more.
        gave_up_stride = downsample is not None and stride == 1
        self.conv1 = resnet.conv3x3(inplanes, planes, stride, dilation=dilation)
        self.conv2 = resnet.conv3x3(planes, planes, dilation=dilation * (1 + gave_up_stride))


_RESNETS = {
    'resnet18': (_DilatedBasicBlock, [2, 2, 2, 2]),
    'resnet50': (resnet.Bottleneck, [3, 4, 6, 3]),
    'resnet101': (resnet.Bottleneck, [3, 4, 23, 3]),
}


def _resnet(arch: str, output_stride: int) -> nn.Sequential:
    block, layers = _RESNETS[arch]
    dilate = [False, output_stride <= 8, output_stride <= 16]
    net = resnet.ResNet(block, layers, replace_stride_with_dilation=dilate)
    stages = list(net.named_children())[:-2]  # less avgpool and fc
    return nn.Sequential(OrderedDict(stages))
