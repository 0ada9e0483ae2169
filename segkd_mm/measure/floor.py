"""The machine's floor: how fast a model would be if each of its layers ran at the machine's best.

Of each convolution and linear layer of a model: the time of its multiply-adds at the fastest
convolution that was measured here, or the time of moving its input, its weights and its output
through memory once at the fastest copy that was measured here, whichever is longer. The floor is
the sum over the layers. All else (norms, activations, sums, concatenation, pooling, resizing,
matrix products outside of layers) counts as done on the way, for nothing.

Depthwise convolutions and layers of few channels are bound by memory, the others by arithmetic. As
both speeds are the best of several sizes, those of small ones from the cache, little can be below
the floor; what is close to it is as fast as this machine's libraries are on their best shapes. Both
are measured beside the models, turn by turn, so that a busy machine slows all alike.
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

# Dense convolutions, as channels in and out, kernel and side of the image: 0.5 to 1.2 GFLOP each.
CONVOLUTIONS = (128, 3, 64), (256, 3, 32), (256, 1, 64), (512, 1, 32)
BATCH = {'cuda': 32}  # less does not fill a GPU
COPIES = 1, 4, 16, 64  # MiB
COPIED = 64  # MiB in one timed call


@dataclass(frozen=True)
class Layer:
    """The work of one layer on a batch: multiplications and additions, and numbers that it moves.

    The numbers are those of its input, its weights and its output; the name is the module's.
    """

    name: str
    flops: int
    numbers: int


@dataclass(frozen=True)
class Machine:
    """The best speeds that were measured: GFLOP/s by precision, GB/s read and written."""

    gflops: Mapping[str, float]
    gbytes: float

    def floor_ms(self, layers: Iterable[Layer], precision: str = 'fp32') -> float:
        """The floor of a model of these layers in milliseconds."""
        size = PRECISIONS[precision].itemsize
        peak, bandwidth = self.gflops[precision], self.gbytes
        return sum(max(x.flops / peak, x.numbers * size / bandwidth) for x in layers) / 1e6


def layers_of(model: nn.Module, images: Tensor) -> list[Layer]:
    """The layers that a model runs for images [N, 3, H, W], in their order."""
    found = []

    def note(name: str, layer: nn.Module, inputs: tuple[Tensor], output: Tensor) -> None:
        found.append(_work(name, layer, inputs[0], output))

    layers = {n: m for n, m in model.named_modules() if isinstance(m, LAYERS)}
    hooks = [layer.register_forward_hook(partial(note, name)) for name, layer in layers.items()]
    try:
        with inference(model):
            model(images)
    finally:
        for hook in hooks:
            hook.remove()
    return found


def _work(name: str, layer: nn.Module, inputs: Tensor, output: Tensor) -> Layer:
    # A transposed convolution takes each input to a kernel of outputs, all others the reverse.
    ends = inputs if isinstance(layer, nn.ConvTranspose2d) else output
    numbers = inputs.numel() + layer.weight.numel() + output.numel()
    return Layer(name, 2 * ends.numel() * layer.weight[0].numel(), numbers)


def machine_runs(
    device: torch.device, precisions: Sequence[str] = ('fp32',)
) -> dict[tuple, Callable[[], object]]:
    """What is timed to know the machine, by what it is; see :func:`machine_of`."""
    runs = {('copy', size): _copies(size, device) for size in COPIES}
    for precision in precisions:
        for shape in CONVOLUTIONS:
            case = BATCH.get(device.type, 1), *shape
            runs['convolution', precision, case] = _convolution(precision, case, device)
    return runs


def machine_of(times: Mapping[tuple, Sequence[float]]) -> Machine:
    """The machine, of the seconds that calls of :func:`machine_runs` took."""
    seconds = {key: median(taken) for key, taken in times.items()}
    gflops = {}
    for (kind, *what), taken in seconds.items():
        if kind == 'convolution':
            precision, case = what
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
