"""Latency floor: estimate of a model's shortest possible time on the measured machine.

The floor is a sum over the convolution and linear layers. The time of a layer is the longer one of
two: its multiply-adds at the speed of the fastest measured convolution, and one transfer of its
input, weights and output at the speed of the fastest measured memory copy. Other operations (norms,
activations, sums, concatenation, pooling, resizing, matrix products outside of layers) count as 0.

Depthwise convolutions and layers with few channels are limited by memory, the others by arithmetic.
Both speeds are the best of several sizes (small copies stay in the cache), so that hardly any model
is below the floor; a model close to it is as fast as the libraries are on their best shapes. The
speeds are measured in turn with the models, so that other load on the machine affects all equally.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import median

import torch
from torch import Tensor, nn

from segkd_mm.measure.inference import inference
from segkd_mm.measure.model_cost import MIB

LAYERS = nn.Conv2d, nn.ConvTranspose2d, nn.Linear
PRECISIONS = {'fp32': torch.float32, 'bf16': torch.bfloat16}

# Dense convolutions (channels in and out, kernel size, side of the map): 0.5 to 1.2 GFLOP each.
CONVOLUTIONS = (128, 3, 64), (256, 3, 32), (256, 1, 64), (512, 1, 32)
BATCH = {'cuda': 32}  # smaller batches do not use all of a GPU
COPIES = 1, 4, 16, 64  # MiB
COPIED = 64  # MiB in a timed call


@dataclass(frozen=True)
class Layer:
    """The work of a layer on a batch.

    Attributes:
        name: Name of the module.
        flops: Multiplications and additions.
        numbers: Numbers in its input, weights and output.
    """

    name: str
    flops: int
    numbers: int


@dataclass(frozen=True)
class Machine:
    """Measured speed of a machine: GFLOP/s by precision, and GB/s read and written."""

    gflops: Mapping[str, float]
    gbytes: float

    def floor_ms(self, layers: Iterable[Layer], precision: str = 'fp32') -> float:
        """Latency floor of a model with these layers, in milliseconds."""
        size = PRECISIONS[precision].itemsize
        peak, bandwidth = self.gflops[precision], self.gbytes
        return sum(max(one.flops / peak, one.numbers * size / bandwidth) for one in layers) / 1e6


def list_layers(model: nn.Module, images: Tensor) -> list[Layer]:
    """List the layers that a model runs on images [N, C, H, W], in order of execution."""
    work = []

    def record(name: str, layer: nn.Module, inputs: tuple[Tensor], output: Tensor) -> None:
        work.append(_work(name, layer, inputs[0], output))

    layers = {n: m for n, m in model.named_modules() if isinstance(m, LAYERS)}
    hooks = [layer.register_forward_hook(partial(record, name)) for name, layer in layers.items()]
    try:
        with inference(model):
            model(images)
    finally:
        for hook in hooks:
            hook.remove()
    return work


def _work(name: str, layer: nn.Module, inputs: Tensor, output: Tensor) -> Layer:
    # A transposed convolution multiplies each input by the kernel; others compute each output.
    positions = inputs if isinstance(layer, nn.ConvTranspose2d) else output
    numbers = inputs.numel() + layer.weight.numel() + output.numel()
    return Layer(name, 2 * positions.numel() * layer.weight[0].numel(), numbers)


def machine_benchmarks(
    device: torch.device, precisions: Sequence[str] = ('fp32',)
) -> dict[tuple, Callable[[], object]]:
    """Calls to time for the speed of a machine; see :func:`machine_from_times`."""
    runs = {('copy', size): _copies(size, device) for size in COPIES}
    for precision in precisions:
        for shape in CONVOLUTIONS:
            case = BATCH.get(device.type, 1), *shape
            runs['convolution', precision, case] = _convolution(precision, case, device)
    return runs


def machine_from_times(times: Mapping[tuple, Sequence[float]]) -> Machine:
    """Speed of a machine from the seconds of the calls of :func:`machine_benchmarks`."""
    seconds = {key: median(taken) for key, taken in times.items()}
    gflops = {}
    for (kind, *details), taken in seconds.items():
        if kind == 'convolution':
            precision, case = details
            gflops[precision] = max(gflops.get(precision, 0), _flops(case) / taken / 1e9)
    copies = min(seconds['copy', size] for size in COPIES)
    return Machine(gflops, 2 * COPIED * MIB / copies / 1e9)


def _flops(case: tuple[int, int, int, int]) -> int:
    batch, channels, kernel, side = case
    return 2 * batch * (channels * kernel * side) ** 2


def _copies(size: int, device: torch.device) -> Callable[[], None]:
    source = torch.zeros(size * MIB // 4, device=device)
    target = torch.ones_like(source)

    def run() -> None:
        for _ in range(COPIED // size):
            target.copy_(source)

    return run


def _convolution(
    precision: str, case: tuple[int, int, int, int], device: torch.device
) -> Callable[[], Tensor]:
    batch, channels, kernel, side = case
    layout = {'dtype': PRECISIONS[precision], 'memory_format': torch.channels_last}
    layer = nn.Conv2d(channels, channels, kernel, padding=kernel // 2).to(device).to(**layout)
    return partial(
        layer.eval(), torch.randn(batch, channels, side, side, device=device).to(**layout)
    )
