"""Parameters, multiply-adds and peak memory of a model."""

from collections.abc import Callable
from functools import partial
from itertools import accumulate, chain
from math import prod

import torch
from mmengine.analysis import FlopAnalyzer
from torch import Tensor, nn
from torch.profiler import ProfilerActivity, profile

from segkd_mm.libraries import silent_stderr
from segkd_mm.measure.inference import inference
from segkd_mm.normalisation import channels_of

MIB = 2**20
MATMULS = ('linear', 'matmul', 'addmm', 'mm', 'bmm', 'einsum', 'scaled_dot_product_attention')
COUNTED = ('conv', *MATMULS)


def count_parameters(model: nn.Module) -> int:
    """Count the numbers in all parameters, also frozen and auxiliary ones; shared ones once."""
    return sum(parameter.numel() for parameter in model.parameters())


def count_gmacs(model: nn.Module, size: tuple[int, int]) -> float:
    """Count the multiply-adds of one image of ``size`` (height, width), in units of 1e9.

    Convolutions, matrix products and attention count; norms, pooling and resizing do not, as in the
    published figures of torchvision and timm. (mmengine's own total, which mmseg prints, includes
    norms and pooling but not attention: 4% more for a MobileNetV3-Large.)
    """
    device = next(model.parameters()).device
    counter = FlopAnalyzer(model, (torch.zeros(1, channels_of(model), *size, device=device),))
    counter.set_op_handle('aten::scaled_dot_product_attention', _attention_macs)
    counter.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
    with inference(model):
        counts = counter.by_operator()
    return sum(counts[operator] for operator in COUNTED) / 1e9


def _attention_macs(inputs: list, _outputs: list) -> int:
    """Multiply-adds of attention: query [..., L, E], key [..., S, E], value [..., S, V]."""
    query, key, value = (tensor.type().sizes() for tensor in inputs[:3])
    return prod(query[:-1]) * key[-2] * (query[-1] + value[-1])


def peak_memory(model: nn.Module, inputs: Tensor) -> float:
    """Measure the MiB of inference: parameters, buffers and the peak of the forward pass.

    The peak is that of torch's allocator on the device of ``inputs`` [N, C, H, W], above what was
    allocated before, after a warm-up call. It does not include the input, other models, code, and
    on CPU the scratch memory of oneDNN, which bypasses the allocator. (The growth of the process
    would include that, but depends on what ran before, as processes seldom free memory.)
    """
    weights = sum(tensor.nbytes for tensor in chain(model.parameters(), model.buffers()))
    with inference(model):
        model(inputs)
        return (weights + peak_allocation(partial(model, inputs), inputs.device)) / MIB


def peak_allocation(run: Callable[[], object], device: torch.device) -> int:
    """Peak bytes that torch's allocator allocates during a call, above those before it."""
    return _cuda_growth(run, device) if device.type == 'cuda' else _cpu_growth(run)


def _cuda_growth(run: Callable[[], object], device: torch.device) -> int:
    before = torch.cuda.memory_allocated(device)
    torch.cuda.reset_peak_memory_stats(device)
    run()
    return torch.cuda.max_memory_allocated(device) - before


def _cpu_growth(run: Callable[[], object]) -> int:
    with (
        silent_stderr(),
        profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiled,
    ):
        run()
    events = sorted(profiled.profiler.kineto_results.events(), key=lambda event: event.start_ns())
    changes = (event.nbytes() for event in events if event.name() == '[memory]')
    return max(accumulate(changes, initial=0))
