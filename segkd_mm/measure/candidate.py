"""A model to benchmark, from a config or an exported file, ready to be timed beside others."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial

import torch
from mmengine.registry import init_default_scope
from mmseg.registry import MODELS
from torch import Tensor, nn

from segkd_mm.config import load_config, plain_student
from segkd_mm.deploy import FastLabelMap, MMSegLabelMap, load_runtime
from segkd_mm.deploy.loading import deployable
from segkd_mm.measure.floor import (
    PRECISIONS,
    Layer,
    Machine,
    list_layers,
    machine_benchmarks,
    machine_from_times,
)
from segkd_mm.measure.inference import inference
from segkd_mm.measure.latency import Latency, time_in_turn
from segkd_mm.measure.model_cost import count_gmacs, count_parameters, peak_memory

WAYS = 'labels', 'mmseg', 'logits'


def build_deployed(model: dict, device: torch.device) -> nn.Module:
    """Build a model with random weights and without auxiliary heads, in eval mode."""
    init_default_scope('mmseg')
    return deployable(MODELS.build(model)).to(device).eval()


def check_same_channels(channels: Mapping[str, int]) -> None:
    """Check that models, by name, can be measured on the same images.

    Raises:
        ValueError: They take images of different numbers of channels.
    """
    if len(set(channels.values())) > 1:
        found = ', '.join(f'{name}: {count}' for name, count in channels.items())
        raise ValueError(
            f'The models take images of different numbers of channels ({found}): benchmark each '
            'kind on its own.'
        )


@dataclass(frozen=True)
class Candidate:
    """A model prepared for measurement.

    Attributes:
        runs: Calls to time, by what they compute: ``labels`` (fast label maps), ``mmseg`` (label
            maps as in mmseg) and ``logits``.
        facts: Further entries of the result file, such as parameters.
        layers: Its layers, for the floor; None if unknown.
        precision: 'fp32', 'bf16' or 'int8'.
    """

    runs: Mapping[str, Callable[[], Tensor]]
    facts: Mapping[str, float | None]
    layers: Sequence[Layer] | None
    precision: str = 'fp32'

    @classmethod
    def from_model(cls, model: nn.Module, images: Tensor) -> 'Candidate':
        """Prepare a PyTorch model."""
        fast = FastLabelMap.from_model(model)
        inputs = fast.normalise(images)
        runs = {
            'labels': partial(fast, images),
            'mmseg': partial(MMSegLabelMap(model), images),
            'logits': partial(model, inputs),
        }
        facts = {
            'parameters': count_parameters(model),
            'gmacs': count_gmacs(model, inputs.shape[2:]),
            'peak_memory_mib': peak_memory(fast, images),
        }
        return cls(runs, facts, list_layers(model, inputs))

    @classmethod
    def from_exported(cls, path: str, images: Tensor, threads: int | None) -> 'Candidate':
        """Prepare an exported model; its layers are those of its config, if that is available.

        It takes images on the CPU.
        """
        images = images.cpu()
        runtime = load_runtime(path, threads)
        check_same_channels({path: runtime.channels, 'the first config': images.shape[1]})
        metadata, fast = runtime.metadata, FastLabelMap.from_runtime(runtime)
        runs = {'labels': partial(fast, images)}
        if fast.normalise and metadata['output'] == 'logits':
            runs['logits'] = partial(runtime, fast.normalise(images))
        try:
            config = plain_student(load_config(metadata['config']))
            model = build_deployed(config.model, torch.device('cpu'))
        except FileNotFoundError:
            gmacs = layers = None
        else:
            inputs = FastLabelMap.from_model(model).normalise(images)
            gmacs, layers = count_gmacs(model, inputs.shape[2:]), list_layers(model, inputs)
        facts = {
            'made_from': metadata['config'],
            'engine': runtime.engine,
            'parameters': metadata['parameters'],
            'gmacs': gmacs,
            'peak_memory_mib': None,
        }
        return cls(runs, facts, layers, metadata['precision'])


def measure(
    models: Mapping[str, Candidate], device: torch.device, batch: int, repeats: int
) -> tuple[Machine, list[dict]]:
    """Measure models side by side: the speed of the machine, and a row of costs per model.

    Args:
        models: Candidates by name, prepared for the same images.
        device: Device of the PyTorch models.
        batch: Number of images in a batch.
        repeats: Number of timed calls.
    """
    precisions = {model.precision for model in models.values()} & set(PRECISIONS)
    floor = machine_benchmarks(device, sorted(precisions))
    distinct = {id(model): model for model in models.values()}
    runs = {(key, way): run for key, model in distinct.items() for way, run in model.runs.items()}
    with inference():
        times = time_in_turn(floor | runs, device, repeats=repeats)
    machine = machine_from_times({key: times[key] for key in floor})
    latency = {key: asdict(Latency.from_seconds(times[key], batch)) for key in runs}
    rows = []
    for name, model in models.items():
        ways = {way: latency.get((id(model), way)) for way in WAYS}
        rows.append({'config': name, **model.facts, **ways, **_floor(machine, model, ways)})
    return machine, with_speedup(rows)


def _floor(machine: Machine, model: Candidate, ways: Mapping[str, dict | None]) -> dict:
    if model.layers is None or model.precision not in PRECISIONS:
        return {'floor_ms': None, 'x_floor': None}
    floor, logits = machine.floor_ms(model.layers, model.precision), ways['logits']
    return {'floor_ms': floor, 'x_floor': logits and logits['median_ms'] / floor}


def with_speedup(rows: Sequence[Mapping]) -> list[dict]:
    """Add ``speedup``: the time of mmseg's label maps in the first row over that of each row."""
    reference = rows[0]['mmseg']['median_ms']
    return [{**row, 'speedup': reference / row['labels']['median_ms']} for row in rows]
