"""A model that is ready to be measured: its calls, its costs and its layers."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial

import torch
from mmengine.registry import init_default_scope
from mmseg.registry import MODELS
from torch import Tensor, nn

from segkd_mm.config import load_config, plain_student
from segkd_mm.deploy import FastLabels, MMSegLabels, load_runtime
from segkd_mm.deploy.loading import without_auxiliary_heads
from segkd_mm.measure.floor import PRECISIONS, Layer, Machine, layers_of, machine_of, machine_runs
from segkd_mm.measure.inference import inference
from segkd_mm.measure.latency import Latency, time_in_turn
from segkd_mm.measure.model_cost import count_gmacs, count_parameters, peak_memory

WAYS = 'labels', 'mmseg', 'logits'


def build_deployed(model: dict, device: torch.device) -> nn.Module:
    """A model as it is deployed, with random weights, on the device."""
    init_default_scope('mmseg')
    return without_auxiliary_heads(MODELS.build(model)).to(device).eval()


@dataclass(frozen=True)
class Candidate:
    """A model that is ready to be measured.

    ``runs`` are its calls by what they give: labels, mmseg's labels, logits; ``facts`` is what else
    the result file says of it; ``layers`` and ``precision`` are for its floor.
    """

    runs: Mapping[str, Callable[[], Tensor]]
    facts: Mapping[str, float | None]
    layers: Sequence[Layer] | None
    precision: str = 'fp32'

    @classmethod
    def of(cls, model: nn.Module, images: Tensor) -> 'Candidate':
        """Of a model in torch."""
        fast = FastLabels.of(model)
        inputs = fast.normalise(images)
        runs = {
            'labels': partial(fast, images),
            'mmseg': partial(MMSegLabels(model), images),
            'logits': partial(model, inputs),
        }
        facts = {
            'parameters': count_parameters(model),
            'gmacs': count_gmacs(model, inputs.shape[2:]),
            'peak_memory_mib': peak_memory(fast, images),
        }
        return cls(runs, facts, layers_of(model, inputs))

    @classmethod
    def of_exported(cls, path: str, images: Tensor, threads: int | None) -> 'Candidate':
        """Of an exported file; its layers are those of its config, where that is at hand.

        Its images are on the CPU, whatever it runs on.
        """
        images = images.cpu()
        runtime = load_runtime(path, threads)
        data, fast = runtime.metadata, FastLabels.of_runtime(runtime)
        runs = {'labels': partial(fast, images)}
        if fast.normalise and data['output'] == 'logits':
            runs['logits'] = partial(runtime, fast.normalise(images))
        try:
            model = build_deployed(
                plain_student(load_config(data['config'])).model, torch.device('cpu')
            )
        except FileNotFoundError:
            gmacs = layers = None
        else:
            inputs = FastLabels.of(model).normalise(images)
            gmacs, layers = count_gmacs(model, inputs.shape[2:]), layers_of(model, inputs)
        facts = {
            'made_from': data['config'],
            'engine': runtime.engine,
            'parameters': data['parameters'],
            'gmacs': gmacs,
            'peak_memory_mib': None,
        }
        return cls(runs, facts, layers, data['precision'])


def measure(
    models: Mapping[str, Candidate], device: torch.device, batch: int, repeats: int
) -> tuple[Machine, list[dict]]:
    """Measure models side by side: the machine, and the costs of each model as a row.

    Args:
        models: By name, made for images of one size.
        device: Where they run.
        batch: Images in a batch.
        repeats: Timed calls of each.
    """
    floor = machine_runs(device, sorted({m.precision for m in models.values()} & set(PRECISIONS)))
    distinct = {id(model): model for model in models.values()}
    runs = {(key, way): run for key, model in distinct.items() for way, run in model.runs.items()}
    with inference():
        times = time_in_turn(floor | runs, device, repeats=repeats)
    machine = machine_of({key: times[key] for key in floor})
    latency = {key: asdict(Latency.of(times[key], batch)) for key in runs}
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
    """Rows with how many times faster their labels are than the first one's in mmseg's way."""
    usual = rows[0]['mmseg']['median_ms']
    return [{**row, 'speedup': usual / row['labels']['median_ms']} for row in rows]
