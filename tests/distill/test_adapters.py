import pytest
import torch
from torch import nn

from segkd_mm.distill.adapters import build_adapter, to_common_size


def test_auto_is_a_conv_where_channels_differ_and_nothing_where_they_do_not():
    adapter = build_adapter('auto', 3, 5)
    assert isinstance(adapter, nn.Conv2d)
    assert adapter.weight.shape == (5, 3, 1, 1)
    assert isinstance(build_adapter('auto', 5, 5), nn.Identity)
    assert isinstance(build_adapter(None, 3, 5), nn.Identity)


def test_a_registered_module_can_adapt():
    adapter = build_adapter({'type': 'ConvModule', 'in_channels': 3, 'out_channels': 5,
                             'kernel_size': 3}, 3, 5)  # fmt: skip
    assert type(adapter).__name__ == 'ConvModule'


def test_another_word_is_an_error():
    with pytest.raises(ValueError, match="adapter is 'atuo', expected 'auto'"):
        build_adapter('atuo', 3, 5)


def test_the_larger_map_is_averaged_to_the_smaller():
    small = torch.zeros(1, 1, 1, 2)
    large = torch.tensor([[[[0.0, 2.0, 1.0, 1.0], [4.0, 6.0, 1.0, 5.0]]]])
    # (0 + 2 + 4 + 6) / 4 = 3 and (1 + 1 + 1 + 5) / 4 = 2
    expected = torch.tensor([[[[3.0, 2.0]]]])
    assert torch.equal(to_common_size(small, large)[1], expected)
    assert torch.equal(to_common_size(large, small)[0], expected)
    assert to_common_size(large, large)[0] is large
