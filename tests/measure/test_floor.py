import pytest
import torch
from torch import nn

from segkd_mm.measure.floor import (
    Layer,
    Machine,
    list_layers,
    machine_benchmarks,
    machine_from_times,
)

IMAGES = torch.zeros(2, 3, 8, 8)


def test_the_work_of_two_layers_by_hand():
    net = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(),
                        nn.Conv2d(4, 4, 5, stride=2, padding=2, groups=4))  # fmt: skip
    dense, depthwise = list_layers(net, IMAGES)
    # 2 images: 8 x 8 outputs of 4 channels, each of 3 x 3 x 3 products and sums.
    assert dense == Layer('0', 2 * 2 * 64 * 4 * 27, 2 * 3 * 64 + 4 * 27 + 2 * 4 * 64)
    assert depthwise == Layer('3', 2 * 2 * 16 * 4 * 25, 2 * 4 * 64 + 4 * 25 + 2 * 4 * 16)


def test_transposed_and_linear_layers_by_hand():
    net = nn.Sequential(nn.ConvTranspose2d(3, 5, 4, stride=2, padding=1), nn.AdaptiveAvgPool2d(1),
                        nn.Flatten(), nn.Linear(5, 7))  # fmt: skip
    transposed, linear = list_layers(net, IMAGES)
    # Each of the 8 x 8 x 3 inputs goes to 4 x 4 x 5 products, those at the border too.
    assert transposed == Layer('0', 2 * 2 * 64 * 3 * 80, 2 * 3 * 64 + 3 * 80 + 2 * 5 * 256)
    assert linear == Layer('3', 2 * 2 * 7 * 5, 2 * 5 + 35 + 2 * 7)


def test_a_layer_that_is_used_twice_counts_twice_and_hooks_are_gone():
    layer = nn.Conv2d(3, 3, 1)
    assert len(list_layers(nn.Sequential(layer, layer), IMAGES)) == 2
    assert not layer._forward_hooks
    assert layer.training


def test_the_floor_by_hand():
    machine = Machine({'fp32': 100.0, 'bf16': 200.0}, gbytes=10.0)
    arithmetic, memory = Layer('a', 10**9, 10**6), Layer('b', 10**6, 10**7)
    # 1e9 / 100e9 = 10 ms against 4e6 / 10e9 = 0.4 ms; 0.01 ms against 4e7 / 10e9 = 4 ms.
    assert machine.floor_ms([arithmetic, memory]) == pytest.approx(10 + 4)
    assert machine.floor_ms([arithmetic, memory], 'bf16') == pytest.approx(5 + 2)


def test_the_machine_is_the_best_of_its_medians_by_hand():
    times = {
        ('copy', 1): [0.02, 0.01, 0.5],
        ('copy', 4): [0.1],
        ('copy', 16): [0.1],
        ('copy', 64): [0.1],
        ('convolution', 'fp32', (1, 128, 3, 64)): [0.02, 0.01, 0.03],
        ('convolution', 'fp32', (2, 512, 1, 32)): [0.04],
    }
    machine = machine_from_times(times)
    # 64 MiB are read and written in 0.02 s.
    assert machine.gbytes == pytest.approx(2 * 64 * 2**20 / 0.02 / 1e9)
    # 64 x 64 x 128 outputs of 3 x 3 x 128 products and sums in 0.02 s; 1.07 GFLOP in 0.04 s.
    assert machine.gflops == {'fp32': pytest.approx(2 * 64 * 64 * 128 * 9 * 128 / 0.02 / 1e9)}


def test_what_is_timed_does_what_its_name_says():
    runs = machine_benchmarks(torch.device('cpu'), ('fp32', 'bf16'))
    outputs = {key: run() for key, run in runs.items() if key[0] == 'convolution'}
    assert {key[1] for key in outputs} == {'fp32', 'bf16'}
    for (_, precision, (batch, channels, _, side)), output in outputs.items():
        assert output.shape == (batch, channels, side, side)
        assert output.dtype == {'fp32': torch.float32, 'bf16': torch.bfloat16}[precision]
    assert [key[1] for key in runs if key[0] == 'copy'] == [1, 4, 16, 64]
