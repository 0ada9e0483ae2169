"""Latency: models timed in turn on one batch."""

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
