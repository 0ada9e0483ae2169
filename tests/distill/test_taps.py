import pytest
import torch
from torch import nn

from segkd_mm.distill import TapError, Taps


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 1)
        self.block = nn.Sequential(nn.Conv2d(4, 5, 1), nn.ReLU(inplace=True))
        self.unused = nn.Identity()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.block(self.stem(x))


def test_taps_give_the_outputs_of_the_named_modules():
    net, x = Net(), torch.randn(2, 3, 4, 4)
    with Taps(net, ['stem', 'block']) as taps:
        out = net(x)
    tapped = taps.pop()
    assert torch.equal(tapped['stem'], net.stem(x))
    assert tapped['block'] is out


def test_nothing_stays_on_the_model_after_the_block():
    net = Net()
    taps = Taps(net, ['stem'])
    with taps:
        net(torch.randn(1, 3, 4, 4))
    taps.pop()
    net(torch.randn(1, 3, 4, 4))
    assert not net.stem._forward_hooks
    with pytest.raises(TapError, match='put nothing out'):
        taps.pop()


def test_the_gradient_flows_through_a_tap():
    net = Net()
    with Taps(net, ['stem']) as taps:
        net(torch.randn(1, 3, 4, 4))
    taps.pop()['stem'].sum().backward()
    assert net.stem.weight.grad.abs().sum() > 0


def test_an_unknown_name_shows_close_names_and_siblings():
    with pytest.raises(
        TapError, match=r"no submodule 'blok' \(did you mean 'block' or.*stem, block, unused"
    ):
        Taps(Net(), ['blok'])
    with pytest.raises(TapError, match=r"no submodule 'block\.7'.*block has: 0, 1"):
        Taps(Net(), ['block.7'])


def test_a_tap_that_does_not_fire_is_an_error():
    with Taps(net := Net(), ['unused']) as taps:
        net(torch.randn(1, 3, 4, 4))
    with pytest.raises(TapError, match="'unused' put nothing out"):
        taps.pop()


def test_an_auxiliary_head_is_said_to_run_in_the_loss_alone():
    net = Net()
    net.auxiliary_head = nn.Identity()
    with Taps(net, 'auxiliary_head') as taps:
        net(torch.randn(1, 3, 4, 4))
    with pytest.raises(TapError, match=r"'auxiliary_head' put nothing out: .* loss of the labels"):
        taps.pop()


def test_an_output_overwritten_in_place_is_an_error():
    with Taps(net := Net(), ['block.0']) as taps:
        net(torch.randn(1, 3, 4, 4))
    with pytest.raises(TapError, match=r"'block\.0' was overwritten in place"):
        taps.pop()


def test_an_output_that_is_no_tensor_is_an_error():
    net = nn.Sequential(nn.LSTM(3, 3))
    with Taps(net, ['0']), pytest.raises(TapError, match="'0' puts out a tuple"):
        net(torch.randn(2, 2, 3))


def test_taps_work_in_inference_mode():
    net = Net()
    with torch.inference_mode(), Taps(net, ['stem']) as taps:
        net(torch.randn(1, 3, 4, 4))
    assert taps.pop()['stem'].shape == (1, 4, 4, 4)
