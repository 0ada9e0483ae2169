import torch
from mmengine.optim import build_optim_wrapper
from torch import nn

from segkd_mm.optim import amp_wrapper


class Net(nn.Module):
    """A convolution whose loss is its mean output; it remembers what it put out."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv2d(3, 4, 3)

    def forward(self, images):
        self.out = self.conv(images)
        return self.out.float().mean()


def step(net, kind, images):
    """One step of plain gradient descent with a rate of 1."""
    wrapper = build_optim_wrapper(net, {'type': kind, 'optimizer': {'type': 'SGD', 'lr': 1.0}})
    with wrapper.optim_context(net):
        loss = net(images)
    wrapper.update_params(loss)


def test_on_a_cpu_the_forward_is_in_bf16_and_channels_last_and_the_weights_in_float32():
    net, images = Net(), torch.randn(2, 3, 8, 8)
    step(net, amp_wrapper('cpu'), images)
    assert net.out.dtype == torch.bfloat16
    assert net.out.is_contiguous(memory_format=torch.channels_last)
    assert net.conv.weight.dtype == torch.float32
    assert net.conv.weight.is_contiguous(memory_format=torch.channels_last)


def test_its_step_is_that_of_float32_within_bf16s_rounding():
    images = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    plain, mixed, start = Net(), Net(), Net().conv.weight
    step(plain, 'OptimWrapper', images)
    step(mixed, amp_wrapper('cpu'), images)
    moved, wanted = (net.conv.weight - start for net in (mixed, plain))
    assert 0 < (moved - wanted).norm() < 2**-7 * wanted.norm()


def test_on_a_gpu_it_is_mmengines():
    assert amp_wrapper('cuda') == 'AmpOptimWrapper'
