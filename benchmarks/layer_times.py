"""Where the time of a model goes, from image to labels: by part of the model and kind of layer.

Example:
  python benchmarks/layer_times.py student/mnv3s_slim_voc.py best_fp32.xml best_int8.xml --threads 1

The model of the config in torch and its exported OpenVINO files (.xml) are profiled in one run, in
turn, so that a busy machine slows all alike. In torch the modules are timed, in OpenVINO its own
counters tell; an operator that OpenVINO fused into a layer counts there. What a call takes besides
is `rest`. Beside them stands the machine's floor (segkd_mm/measure/floor.py) of the same layers in
fp32. The result file has the share of each part in `ratios`; the chart goes beside it, as .png.
"""

import argparse
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter

import torch
from mmengine.registry import init_default_scope
from mmseg.registry import MODELS
from torch import Tensor, nn

from segkd_mm.config import load_config, plain_student
from segkd_mm.deploy import FastLabelMap, load_runtime
from segkd_mm.deploy.images import benchmark_batch
from segkd_mm.deploy.loading import deployable
from segkd_mm.deploy.runtime import openvino_core
from segkd_mm.measure.floor import Machine, list_layers, machine_benchmarks, machine_from_times
from segkd_mm.measure.inference import inference
from segkd_mm.measure.latency import time_in_turn
from segkd_mm.results.files import write_result
from segkd_mm.results.tables import console_table, wide_console
from segkd_mm.visualize.overlays import INK
from segkd_mm.visualize.style import COLOURS, MUTED, chart

WARMUP = 3
CPU = torch.device('cpu')
SQUEEZES = 'SqueezeExcitation', 'SELayer'  # torchvision's and mmseg's
RESIZING = 'Interpolate', 'Concat', 'Concatenation', 'Pad'
KINDS = {
    'dense convolutions': COLOURS[0],
    'pointwise convolutions': COLOURS[5],
    'depthwise convolutions': COLOURS[2],
    'squeeze and excitation': COLOURS[3],
    'norms and activations': '#332288',
    'resizing, concatenation': COLOURS[1],
    'normalisation, labels': COLOURS[4],
    'rest': MUTED,
}
Part = tuple[str, str]  # of the model, and the kind
BETWEEN = 'no layer', 'rest'


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', help='config file, or a name of `python -m segkd_mm configs`')
    parser.add_argument('exported', nargs='*', metavar='XML', help='OpenVINO files of that config')
    parser.add_argument(
        '--size', nargs=2, type=int, default=(512, 512), metavar=('H', 'W'), help='default: 512 512'
    )
    parser.add_argument('--image', help='what to label (default: noise)')
    parser.add_argument('--threads', type=int, default=1, help='default: 1')
    parser.add_argument('--repeats', type=int, default=20, help='timed calls (default: 20)')
    parser.add_argument(
        '--out', default='work_dirs/layer_times.json', metavar='JSON', help='default: %(default)s'
    )
    args = parser.parse_args()
    if others := [file for file in args.exported if Path(file).suffix != '.xml']:
        parser.error(f'{", ".join(others)}: expected OpenVINO files, .xml')
    return args


def kind_of(modules: Mapping[str, nn.Module], name: str, operator: str = '') -> str:
    """The kind of a layer: of the module of that name, or else of the operator inside it."""
    parents = ['.'.join(name.split('.')[:end]) for end in range(1, name.count('.') + 2)]
    if any(type(modules.get(parent)).__name__ in SQUEEZES for parent in parents):
        return 'squeeze and excitation'
    module = modules.get(name)
    if operator in RESIZING:
        return 'resizing, concatenation'
    if isinstance(module, nn.Conv2d) and operator in ('', 'Convolution', 'GroupConvolution'):
        return _convolution(module)
    normal = nn.modules.batchnorm._BatchNorm, nn.ReLU, nn.ReLU6, nn.Hardswish, nn.Hardsigmoid
    return 'norms and activations' if isinstance(module, normal) else 'rest'


def _convolution(layer: nn.Conv2d) -> str:
    if layer.groups == layer.in_channels > 1:
        return 'depthwise convolutions'
    return 'pointwise convolutions' if layer.kernel_size == (1, 1) else 'dense convolutions'


class Profiled:
    """Images to labels; each call notes the seconds of each part.

    Args:
        fast: The whole way.
        images: uint8 [N, 3, H, W].
    """

    def __init__(self, fast: FastLabelMap, images: Tensor) -> None:
        self.images, self.notes = images, []
        self.network = fast.segment
        self.fast = FastLabelMap(self._segment, fast.normalise, fast.align_corners)

    def __call__(self) -> None:
        self.parts = Counter()
        start = perf_counter()
        self.fast(self.images)
        around = perf_counter() - start - self.seconds
        self.note_network(self.seconds)
        self.parts['around it', 'normalisation, labels'] = around
        self.notes.append(self.parts)

    def _segment(self, inputs: Tensor) -> Tensor:
        start = perf_counter()
        logits = self.network(inputs)
        self.seconds = perf_counter() - start
        return logits

    def note_network(self, seconds: float) -> None:
        """Note the parts of the network's last call, which took so long."""
        raise NotImplementedError

    def medians(self) -> dict[Part, float]:
        """Milliseconds of each part, the median of its calls."""
        timed = self.notes[WARMUP:]
        parts = dict.fromkeys(part for note in timed for part in note)
        return {part: 1000 * median(note[part] for note in timed) for part in parts}


class InTorch(Profiled):
    """A model in torch, whose modules are timed by hooks."""

    def __init__(self, model: nn.Module, images: Tensor) -> None:
        super().__init__(FastLabelMap.from_model(model), images)
        self.starts = {}
        # Leaves alone: mmseg calls a head's forward, so that its hooks do not run.
        modules = dict(model.named_modules())
        for name, module in modules.items():
            if not [*module.children()]:
                part = name.split('.')[0], kind_of(modules, name)
                module.register_forward_pre_hook(partial(self._begin, name))
                module.register_forward_hook(partial(self._end, name, part))

    def _begin(self, name: str, *_: object) -> None:
        self.starts[name] = perf_counter()

    def _end(self, name: str, part: Part, *_: object) -> None:
        self.parts[part] += perf_counter() - self.starts[name]

    def note_network(self, seconds: float) -> None:
        """The modules have noted theirs; what is not a module, such as resizing, is the rest."""
        self.parts[BETWEEN] = seconds - sum(self.parts.values())


class InOpenVINO(Profiled):
    """An exported file, by OpenVINO's own counters."""

    def __init__(self, path: str, model: nn.Module, images: Tensor, threads: int) -> None:
        runtime = load_runtime(path, threads)
        super().__init__(FastLabelMap.from_runtime(runtime), images)
        self.modules = dict(model.named_modules())
        options = {
            'INFERENCE_PRECISION_HINT': runtime._compiled.get_property('INFERENCE_PRECISION_HINT'),
            'INFERENCE_NUM_THREADS': threads,
            'NUM_STREAMS': 1,
            'PERF_COUNT': True,
        }
        compiled = openvino_core().compile_model(path, 'CPU', options)
        self.request = compiled.create_infer_request()
        self.network = self._run

    def _run(self, inputs: Tensor) -> Tensor:
        found = self.request.infer({0: inputs.numpy()}, share_inputs=True)
        return torch.from_numpy(found[0])

    def note_network(self, seconds: float) -> None:
        """OpenVINO's nodes are named by their modules, MODULE or MODULE/OPERATOR."""
        for node in self.request.profiling_info:
            name = node.node_name.split('/')[0]
            top, kind = name.split('.')[0], kind_of(self.modules, name, node.node_type)
            part = (top, kind) if top in self.modules else BETWEEN
            self.parts[part] += node.real_time.total_seconds()
        self.parts[BETWEEN] += max(0, seconds - sum(self.parts.values()))


def floor_parts(machine: Machine, model: nn.Module, images: Tensor) -> Counter:
    """Milliseconds of the floor by part."""
    parts, modules = Counter(), dict(model.named_modules())
    for layer in list_layers(model, images):
        part = layer.name.split('.')[0], kind_of(modules, layer.name)
        parts[part] += machine.floor_ms([layer])
    return parts


def measure(args: argparse.Namespace) -> tuple[Machine, dict[str, Mapping[Part, float]]]:
    """The machine, and milliseconds by part of the floor and of all that were profiled."""
    images, floor = benchmark_batch(args.image, tuple(args.size)), machine_benchmarks(CPU)
    runs = {'torch': InTorch(build(args.config), images)}
    plain = build(args.config)
    for path in args.exported:
        runs[Path(path).name] = InOpenVINO(path, plain, images, args.threads)
    with inference():
        times = time_in_turn(floor | runs, CPU, WARMUP, args.repeats)
    machine = machine_from_times({key: times[key] for key in floor})
    inputs = FastLabelMap.from_model(plain).normalise(images)
    found = {'floor, fp32': floor_parts(machine, plain, inputs)}
    return machine, found | {name: run.medians() for name, run in runs.items()}


def build(config: str) -> nn.Module:
    """The model of a config as it is deployed, with random weights."""
    init_default_scope('mmseg')
    return deployable(MODELS.build(plain_student(load_config(config)).model)).eval()


def rows(found: Mapping[str, Mapping[Part, float]]) -> list[dict]:
    """The table: milliseconds by part, the kinds of one part of the model together."""
    parts = dict.fromkeys(part for times in found.values() for part in times)
    tops = list(dict.fromkeys(top for top, _ in parts))
    order = sorted(parts, key=lambda part: (tops.index(part[0]), list(KINDS).index(part[1])))
    table = [
        {'part': top, 'kind': kind, **{n: times.get((top, kind)) for n, times in found.items()}}
        for top, kind in order
    ]
    return [*table, {'part': 'all', 'kind': '', **{n: sum(t.values()) for n, t in found.items()}}]


def by_kind(times: Mapping[Part, float]) -> dict[str, float]:
    """Milliseconds of each kind, whatever part of the model it is in."""
    kinds = dict.fromkeys(KINDS, 0.0)
    for (_, kind), taken in times.items():
        kinds[kind] += taken
    return kinds


def draw(path: Path, found: Mapping[str, Mapping[Part, float]], title: str) -> None:
    """Write a PNG of stacked bars, one for the floor and one for each that was profiled."""
    with chart(path, width=10, height=2.2 + 0.5 * len(found)) as figure:
        axes = figure.subplots()
        ends = [0.0] * len(found)
        for kind, colour in KINDS.items():
            widths = [max(by_kind(times)[kind], 0) for times in found.values()]
            axes.barh(range(len(found)), widths, 0.66, ends, color=colour, label=kind)
            ends = [end + width for end, width in zip(ends, widths, strict=True)]
        for place, end in enumerate(ends):
            axes.text(end, place, f'  {end:.1f}', va='center', color=INK)
        axes.set_yticks(range(len(found)), found, color=INK)
        axes.set(title=title, xlabel='ms', xlim=(0, 1.08 * max(ends)))
        axes.grid(False, axis='y')
        axes.tick_params(axis='y', length=0)
        axes.invert_yaxis()
        figure.legend(loc='outside lower center', ncols=3)


def main() -> None:
    """Run the command line."""
    args = parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    machine, found = measure(args)
    title = f'{Path(args.config).stem}, {args.size[0]}x{args.size[1]}, threads: {args.threads}'
    ratios = {name: shares(times) for name, times in found.items()}
    setting = {'config': args.config, 'size': list(args.size), 'threads': args.threads}
    result = {**setting, 'machine': asdict(machine), 'ratios': ratios, 'table': rows(found)}
    write_result(args.out, result)
    wide_console().print(console_table(rows(found), title=f'{title}; ms'))
    print(f'Result: {args.out}')
    picture = Path(args.out).with_suffix('.png')
    draw(picture, found, title)
    print(f'Picture: {picture}')


def shares(times: Mapping[Part, float]) -> dict[str, float]:
    """The share of each kind in the whole time."""
    return {kind: ms / sum(times.values()) for kind, ms in by_kind(times).items()}


if __name__ == '__main__':
    main()
