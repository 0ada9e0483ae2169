"""Parameters, multiply-adds and peak memory of a model."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import accumulate, chain
from math import prod

import torch
from mmengine.analysis import FlopAnalyzer
from torch import Tensor, nn
from torch.profiler import ProfilerActivity, profile

from segkd_mm.measure.inference import inference

MIB = 2**20
MATMULS = ('linear', 'matmul', 'addmm', 'mm', 'bmm', 'einsum', 'scaled_dot_product_attention')
COUNTED = ('conv', *MATMULS)


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
