"""Latency of models, timed in turn on one batch."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from time import perf_counter

import numpy as np
import torch
from rich.console import Console
from rich.progress import Progress
from torch import Tensor

from segkd_mm.measure.inference import inference

FEWEST_REPEATS = 10


@dataclass(frozen=True)
class Latency:
    """Time of a call on a batch: median and 90th percentile, images per second, timed calls."""

    median_ms: float
    p90_ms: float
    fps: float
    repeats: int

    @classmethod
    def from_seconds(cls, seconds: Sequence[float], batch: int) -> 'Latency':
        """Summarise the times of calls; the 90th percentile is interpolated between two times."""
        median, p90 = np.quantile(seconds, [0.5, 0.9]).tolist()
        return cls(median * 1000, p90 * 1000, batch / median, len(seconds))


def measure_latency(
    models: Mapping[str, Callable[[Tensor], object]],
    inputs: Tensor,
    warmup: int = 10,
    repeats: int = 50,
    seconds: float = 120.0,
) -> dict[str, Latency]:
    """Measure models in turn on one batch, so that other load on the machine affects all equally.

    Args:
        models: Models or other callables by name; modules are measured in eval mode.
        inputs: The batch [N, C, H, W], already on the device.
        warmup: Number of rounds that are not timed.
        repeats: Number of timed rounds; a round calls every model once.
        seconds: No new round starts after this time, once 10 are timed; ``Latency.repeats`` is the
            number of timed rounds.

    Raises:
        ValueError: ``repeats`` is less than 1.
    """
    runs = {name: partial(run, inputs) for name, run in models.items()}
    with inference(*models.values()):
        times = time_in_turn(runs, inputs.device, warmup, repeats, seconds)
    return {name: Latency.from_seconds(taken, len(inputs)) for name, taken in times.items()}


def time_in_turn(
    runs: Mapping[str, Callable[[], object]],
    device: torch.device,
    warmup: int = 10,
    repeats: int = 50,
    seconds: float = 120.0,
) -> dict[str, list[float]]:
    """Time calls in turn and return the seconds of each timed round, by name.

    See :func:`measure_latency` for the arguments and errors.
    """
    if repeats < 1:
        raise ValueError(f'repeats={repeats}: at least one timed round is needed.')
    times = {name: [] for name in runs}
    start = perf_counter()
    with _progress() as progress:
        for rounds in progress.track(range(warmup + repeats), description='measuring'):
            if rounds >= warmup + FEWEST_REPEATS and perf_counter() - start > seconds:
                break
            for name, run in runs.items():
                times[name].append(_time(run, device))
    return {name: taken[warmup:] for name, taken in times.items()}


def _progress() -> Progress:
    """A progress bar without a refresh thread, which would disturb the timed calls."""
    return Progress(console=Console(stderr=True), transient=True, auto_refresh=False)


def _time(run: Callable[[], object], device: torch.device) -> float:
    _synchronise(device)
    start = perf_counter()
    run()
    _synchronise(device)
    return perf_counter() - start


def _synchronise(device: torch.device) -> None:
    """Wait for a GPU, whose calls return before the work is done."""
    if device.type == 'cuda':
        torch.cuda.synchronize(device)
