"""Convolutions of timm with TensorFlow's "SAME" padding, in a form that exports for any size."""

import torch.nn.functional as F
from timm.layers import Conv2dSame
from torch import Tensor, nn


class SameConv2d(nn.Conv2d):
    """timm's ``Conv2dSame`` with the same padding in plainer arithmetic.

    timm writes ``max((ceil(side / stride) - 1) * stride + ...)``. On EfficientNet-Lite0
    torch.export simplified these expressions for four minutes without an end, ours in seconds.
    """

    def forward(self, x: Tensor) -> Tensor:
        """As ``Conv2dSame``: [N, C, H, W] to [N, C_out, ceil(H / stride), ceil(W / stride)]."""
        (top, bottom), (left, right) = (self._padding(axis, x.shape[2 + axis]) for axis in (0, 1))
        return super().forward(F.pad(x, (left, right, top, bottom)))

    def _padding(self, axis: int, side: int) -> tuple[int, int]:
        total = _reach(self, axis) - self.stride[axis] + -side % self.stride[axis]
        return total // 2, total - total // 2


def with_plain_padding(model: nn.Module) -> None:
    """Put :class:`SameConv2d` in the place of each ``Conv2dSame``, with the same weights."""
    for name, conv in list(model.named_modules()):
        if type(conv) is Conv2dSame and all(_reach(conv, a) >= conv.stride[a] for a in (0, 1)):
            model.set_submodule(name, _plain(conv))


def _reach(conv: nn.Conv2d, axis: int) -> int:
    """Pixels from the first to the last that the kernel reads."""
    return (conv.kernel_size[axis] - 1) * conv.dilation[axis] + 1


def _plain(conv: Conv2dSame) -> SameConv2d:
    settings = dict(stride=conv.stride, dilation=conv.dilation, groups=conv.groups)
    plain = SameConv2d(conv.in_channels, conv.out_channels, conv.kernel_size, **settings)
    plain.weight, plain.bias = conv.weight, conv.bias
    return plain.train(conv.training)
