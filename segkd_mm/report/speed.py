"""What a segmentor costs: parameters, multiply-adds, memory and time."""

import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import accumulate, chain
from math import prod
from time import perf_counter

import numpy as np
import torch
from mmengine.analysis import FlopAnalyzer
from rich.console import Console
from rich.progress import Progress
from torch import Tensor, nn
from torch.profiler import ProfilerActivity, profile

MIB = 2**20
FEWEST_REPEATS = 10
MATMULS = ('linear', 'matmul', 'addmm', 'mm', 'bmm', 'einsum', 'scaled_dot_product_attention')
COUNTED = ('conv', *MATMULS)


@dataclass(frozen=True)
class Latency:
    """Time of one call on a batch: milliseconds, images a second, and how many calls were timed."""

    median_ms: float
    p90_ms: float
    fps: float
    repeats: int

    @classmethod
    def of(cls, seconds: Sequence[float], batch: int) -> 'Latency':
        """Sum up the times of single calls; the 90th percentile interpolates between two times."""
        median, p90 = np.quantile(seconds, [0.5, 0.9]).tolist()
        return cls(median * 1000, p90 * 1000, batch / median, len(seconds))


@contextmanager
def inference(*runs: Callable) -> Iterator[None]:
    """Eval mode and no autograd inside; afterwards every module is in the mode that it was in."""
    modules = [module for run in runs if isinstance(run, nn.Module) for module in run.modules()]
    training = [module.training for module in modules]
    try:
        for module in modules:
            module.training = False
        with torch.inference_mode():
            yield
    finally:
        for module, mode in zip(modules, training, strict=True):
            module.training = mode


def count_parameters(model: nn.Module) -> int:
    """Count the numbers in all parameters, frozen or auxiliary ones too, shared ones once."""
    return sum(parameter.numel() for parameter in model.parameters())


def count_gmacs(model: nn.Module, size: tuple[int, int]) -> float:
    """Count the multiply-adds of one image of ``size`` (height, width), in units of 1e9.

    Convolutions, matrix products and attention count; one multiply-add is one. Norms, pooling and
    resizing do not, as in the published figures of torchvision and timm. (mmengine's own total,
    which mmseg prints, has norms and pooling but no attention: 4% more for a MobileNetV3-Large.)
    """
    device = next(model.parameters()).device
    counter = FlopAnalyzer(model, (torch.zeros(1, 3, *size, device=device),))
    counter.set_op_handle('aten::scaled_dot_product_attention', _attention_macs)
    counter.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
    with inference(model):
        found = counter.by_operator()
    return sum(found[operator] for operator in COUNTED) / 1e9


def _attention_macs(inputs: list, _outputs: list) -> int:
    """Queries by keys, then weights by values: [..., L, E], [..., S, E], [..., S, V]."""
    query, key, value = (tensor.type().sizes() for tensor in inputs[:3])
    return prod(query[:-1]) * key[-2] * (query[-1] + value[-1])


def peak_memory(model: nn.Module, inputs: Tensor) -> float:
    """Measure the MiB that inference needs: parameters, buffers and the forward pass at its peak.

    The pass counts what torch's allocator hands out on the device of ``inputs`` [N, 3, H, W] above
    what it held before, after one call to warm up. Not counted: the input, other models, code, and
    on CPU the scratch space that oneDNN takes past the allocator. (The growth of the process would
    count that, but a process seldom gives memory back, so it depends on what ran before.)
    """
    held = sum(tensor.nbytes for tensor in chain(model.parameters(), model.buffers()))
    with inference(model):
        model(inputs)
        return (held + peak_growth(partial(model, inputs), inputs.device)) / MIB


def peak_growth(run: Callable[[], object], device: torch.device) -> int:
    """Bytes that torch's allocator hands out during a call at its peak, above what it held."""
    return _cuda_growth(run, device) if device.type == 'cuda' else _cpu_growth(run)


def _cuda_growth(run: Callable[[], object], device: torch.device) -> int:
    before = torch.cuda.memory_allocated(device)
    torch.cuda.reset_peak_memory_stats(device)
    run()
    return torch.cuda.max_memory_allocated(device) - before


def _cpu_growth(run: Callable[[], object]) -> int:
    with (
        _silent_stderr(),
        profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiled,
    ):
        run()
    events = sorted(profiled.profiler.kineto_results.events(), key=lambda event: event.start_ns())
    changes = (event.nbytes() for event in events if event.name() == '[memory]')
    return max(accumulate(changes, initial=0))


@contextmanager
def _silent_stderr() -> Iterator[None]:
    """torch's profiler writes notes for its developers to the process's stderr."""
    sys.stderr.flush()
    kept = os.dup(2)
    with open(os.devnull, 'w') as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def measure_latency(
    models: Mapping[str, Callable[[Tensor], object]],
    inputs: Tensor,
    warmup: int = 10,
    repeats: int = 50,
    seconds: float = 120.0,
) -> dict[str, Latency]:
    """Time models side by side on one batch, in turn, so that a busy machine slows all alike.

    Args:
        models: what to call, by name; modules are put in eval mode for the time.
        inputs: the batch [N, 3, H, W], already on the device.
        warmup: rounds that are not timed.
        repeats: timed rounds; a round calls every model once.
        seconds: after this much time rounds stop early, though never before 10 were timed;
            ``Latency.repeats`` says how many were.

    Raises:
        ValueError: ``repeats`` is less than 1.
    """
    runs = {name: partial(run, inputs) for name, run in models.items()}
    with inference(*models.values()):
        times = time_in_turn(runs, inputs.device, warmup, repeats, seconds)
    return {name: Latency.of(taken, len(inputs)) for name, taken in times.items()}


def time_in_turn(
    runs: Mapping[str, Callable[[], object]],
    device: torch.device,
    warmup: int = 10,
    repeats: int = 50,
    seconds: float = 120.0,
) -> dict[str, list[float]]:
    """Time calls side by side, in turn; the seconds that each round took of each, by name.

    See :func:`measure_latency` for the arguments and errors.
    """
    if repeats < 1:
        raise ValueError(f'repeats={repeats}: at least one timed round is needed')
    times = {name: [] for name in runs}
    start = perf_counter()
    with _progress() as progress:
        for done in progress.track(range(warmup + repeats), description='measuring'):
            if done >= warmup + FEWEST_REPEATS and perf_counter() - start > seconds:
                break
            for name, run in runs.items():
                times[name].append(_time(run, device))
    return {name: taken[warmup:] for name, taken in times.items()}


def _progress() -> Progress:
    """A bar that no thread of its own redraws: it would run into the timed calls."""
    return Progress(console=Console(stderr=True), transient=True, auto_refresh=False)


def _time(run: Callable[[], object], device: torch.device) -> float:
    _wait(device)
    start = perf_counter()
    run()
    _wait(device)
    return perf_counter() - start


def _wait(device: torch.device) -> None:
    """A GPU call returns before the work is done."""
    if device.type == 'cuda':
        torch.cuda.synchronize(device)
