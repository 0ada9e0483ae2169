"""Latency of students and of peers that are exported alike: one runtime, each precision, one run.

Examples:
  python benchmarks/race.py --runtime openvino --threads 1 --out results/benchmark/race.json
  python benchmarks/race.py --models mnv3s_pico --trunks lcnet_100 starnet_s1 --out trunks.json

Every model goes through this project's own export, and its label map is made from its logits at
their own stride by `FastLabelMap`: what is compared is the models, not how they are called. Weights
are random, as many as 19 classes; int8 is calibrated on noise, so that it is good for times alone.
Peers are those of `segkd benchmark --peers` and light models of mmseg's own configs, and ONNX files
that other tools made for images of `--size`: of these the Resize and ArgMax at the end are cut off,
so that they give logits at their own stride like the others, and timed once more as they are.
`--trunks` adds trunks of timm, each with the head of `mnv3s_pico` down to stride 8 and down to 4;
`--pruned` our models without a part of their channels (`PrunedEncoderDecoder`).
"""

import argparse
import math
from collections.abc import Callable, Iterator
from functools import partial
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np
import onnx.shape_inference
import onnx.utils
import torch
from mmengine.config import Config, ConfigDict
from students import CONFIGS, MMSEG
from torch import Tensor

from segkd_mm.backbones import TimmTapBackbone
from segkd_mm.deploy import FastLabelMap, Runtime, load_runtime
from segkd_mm.deploy.export import SAVERS, to_format, to_half
from segkd_mm.deploy.graph import DeployedGraph
from segkd_mm.deploy.quantise import quantise
from segkd_mm.formats import PRECISIONS, SUFFIXES
from segkd_mm.hints import did_you_mean
from segkd_mm.measure.candidate import build_deployed
from segkd_mm.measure.latency import measure_latency
from segkd_mm.measure.model_cost import count_gmacs, count_parameters
from segkd_mm.measure.peers import peer_configs
from segkd_mm.results.files import write_result
from segkd_mm.results.tables import console_table, wide_console
from segkd_mm.scaffold.fitting_student import student_model
from segkd_mm.scaffold.students import list_students

CLASSES = 19
# Of the light models of mmseg, those that are compared in general.
OF_MMSEG = (
    'BiSeNetV2', 'DDRNet-23-slim', 'Fast-SCNN', 'PIDNet-S', 'SegFormer-B0', 'SegNeXt-T', 'STDC1',
)  # fmt: skip
STRIDES = 8, 4  # of the logits of students on trunks of timm
CALIBRATION = 2  # images of noise
# Precisions whose file is the same: OpenVINO computes in bf16 by its metadata.
SHARED = 'fp32', 'bf16'
SECONDS = 900.0  # after which no new round starts


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--models', nargs='+', metavar='NAME', help='of these alone')
    parser.add_argument(
        '--files',
        nargs='+',
        default=[],
        type=named_file,
        metavar='NAME=ONNX',
        help='models of other tools, too',
    )
    parser.add_argument(
        '--trunks', nargs='+', default=[], metavar='ARCH', help='of timm, with our heads'
    )
    parser.add_argument(
        '--pruned',
        nargs='+',
        default=[],
        type=float,
        metavar='RATIO',
        help='our models without this part of their channels, too',
    )
    parser.add_argument(
        '--runtime',
        choices=('openvino', 'onnx', 'ncnn'),
        default='openvino',
        help='default: %(default)s',
    )
    parser.add_argument('--precisions', nargs='+', help="default: all of the runtime's")
    parser.add_argument('--size', nargs=2, type=int, default=(512, 512), metavar=('H', 'W'))
    parser.add_argument('--threads', type=int, default=1, help='default: %(default)s')
    parser.add_argument('--repeats', type=int, default=30, help='default: %(default)s')
    parser.add_argument('--out', type=Path, required=True, help='the result file')
    return parser.parse_args()


def named_file(text: str) -> tuple[str, str]:
    """A name and the path of a file: NAME=ONNX."""
    name, equals, file = text.partition('=')
    if not (name and equals and Path(file).is_file()):
        raise argparse.ArgumentTypeError(f'{text!r}: expected NAME=FILE, and that file')
    return name, file


def model_configs() -> dict[str, tuple[str, dict]]:
    """Whose each model is, and its config."""
    ours = {name: ('ours', student_model(name, CLASSES)) for name in list_students()}
    peers = {name: ('peer', config) for name, config in peer_configs(CLASSES).items()}
    return ours | peers | {name: ('peer', _of_mmseg(MMSEG[name])) for name in OF_MMSEG}


def trunk_student(arch: str, stride: int) -> ConfigDict:
    """The config of a student on a trunk of timm, with logits at a stride."""
    student = student_model('mnv3s_pico', CLASSES)
    with torch.device('meta'):
        taps = TimmTapBackbone(arch).taps
    *skips, last = (index for index, tap in enumerate(taps) if tap.stride >= stride)
    indices = [*skips[::-1], last]
    student.backbone = dict(type='TimmTapBackbone', arch=arch)
    student.decode_head.update(
        in_channels=[taps[index].channels for index in indices],
        in_index=indices,
        skip_channels=[32 for _ in skips],
    )
    return student


def _of_mmseg(file: str) -> ConfigDict:
    model = Config.fromfile(CONFIGS / file).model
    model.decode_head.num_classes = CLASSES
    model.pop('pretrained', None)
    model.test_cfg = dict(mode='whole')
    model.backbone.pop('init_cfg', None)
    return model


class Entry(NamedTuple):
    """A model that takes part: facts of the table, its form by precision, and its metadata."""

    facts: dict
    convert: Callable[[str], Any]
    about: dict


def of_config(name: str, whose: str, config: dict, args: argparse.Namespace) -> Entry:
    """A model of a config, through this project's export."""
    torch.manual_seed(0)
    model = build_deployed(config, torch.device('cpu'))
    facts = {
        'model': name,
        'whose': whose,
        'parameters': count_parameters(model),
        'GMACs': count_gmacs(model, tuple(args.size)),
    }
    graph = DeployedGraph(model).eval()
    return Entry(facts, partial(to_format, graph, args.runtime), graph.describe())


def of_file(name: str, file: str, args: argparse.Namespace, cut: bool) -> Entry:
    """An ONNX file of another tool: to its logits, or to the labels that it gives."""
    model = onnx.load(file)
    size = [side.dim_value for side in model.graph.input[0].type.tensor_type.shape.dim[2:]]
    if size != list(args.size):
        raise ValueError(f'{file} takes images of {size}; export it for {args.size}.')
    if cut:
        model = _to_logits(model)
    parameters = sum(math.prod(tensor.dims) for tensor in model.graph.initializer)
    facts = {'model': name, 'whose': 'peer', 'parameters': parameters, 'GMACs': None}
    about = dict(
        input='normalised', output='logits' if cut else 'labels', channels=3, size=size,
        input_dtype='float32', mean=[0.0] * 3, std=[255.0] * 3, bgr_to_rgb=True, test_cfg=None,
        align_corners=False, parameters=parameters,
    )  # fmt: skip
    return Entry(facts, lambda precision: to_half(model) if precision == 'fp16' else model, about)


def _to_logits(model: Any) -> Any:
    """The model up to what its last Resize takes, which ArgMax follows."""
    nodes = {output: node for node in model.graph.node for output in node.output}
    (argmax,) = (node for node in model.graph.node if node.op_type == 'ArgMax')
    resize = nodes[argmax.input[0]]
    if resize.op_type != 'Resize':
        raise ValueError(f'Expected Resize before ArgMax, found {resize.op_type}.')
    inputs = [one.name for one in model.graph.input]
    inferred = onnx.shape_inference.infer_shapes(model)
    return onnx.utils.Extractor(inferred).extract_model(inputs, [resize.input[0]])


def exported(entry: Entry, args: argparse.Namespace) -> Iterator[tuple[str, Runtime]]:
    """A model in the runtime, by precision."""
    floats = entry.convert('fp32')
    for precision in args.precisions:
        form = floats if precision in SHARED else None
        if precision == 'int8':
            noise = np.random.default_rng(0).normal(size=(CALIBRATION, 1, 3, *args.size))
            form = quantise(floats, noise.astype(np.float32))
        form = entry.convert(precision) if form is None else form
        with TemporaryDirectory() as folder:
            file = Path(folder, f'model{SUFFIXES[args.runtime]}')
            SAVERS[args.runtime](form, file, {**entry.about, 'precision': precision})
            yield precision, load_runtime(file, args.threads)


def calls_of(entry: Entry, args: argparse.Namespace) -> dict[str, Callable[[Tensor], Tensor]]:
    """What is timed, by the column of the table."""
    runs: dict[str, Callable[[Tensor], Tensor]] = {}
    for precision, runtime in exported(entry, args):
        fast = FastLabelMap.from_runtime(runtime)
        runs[f'{precision} ms'] = fast
        if entry.about['output'] == 'logits':
            runs[f'{precision} logits ms'] = lambda x, fast=fast, run=runtime: run(
                fast.normalise(x)
            )
    return runs


def entries(args: argparse.Namespace) -> dict[str, Callable[[], Entry]]:
    """How each model that takes part is made, by its name."""
    configs = model_configs()
    made = {}
    for name in args.models or configs:
        if name not in configs:
            raise ValueError(f'No {name!r}{did_you_mean(name, configs)}; expected of {[*configs]}.')
        whose, config = configs[name]
        made[name] = partial(of_config, name, whose, config, args)
        for ratio in args.pruned if whose == 'ours' else ():
            less = {**config, 'type': 'PrunedEncoderDecoder', 'ratio': ratio}
            shorter = f'{name}, pruned by {ratio:g}'
            made[shorter] = partial(of_config, shorter, whose, less, args)
    for arch, stride in product(args.trunks, STRIDES):
        name = f'{arch}, logits at stride {stride}'
        made[name] = partial(of_config, name, 'ours', trunk_student(arch, stride), args)
    for name, file in args.files:
        made[name] = partial(of_file, name, file, args, cut=True)
        own = f'{name}, its own labels'
        made[own] = partial(of_file, own, file, args, cut=False)
    return made


def prepare_all(args: argparse.Namespace) -> tuple[list[dict], dict]:
    """Rows of facts, and the calls to time, by model and column; what fails is printed."""
    rows, runs = [], {}
    for name, make in entries(args).items():
        try:
            entry = make()
            calls = calls_of(entry, args)
        except (ImportError, RuntimeError, ValueError) as error:
            print(f'{name} is left out: {str(error).splitlines()[0][:150]}', flush=True)
            continue
        print(f'{name} is exported', flush=True)
        rows.append(entry.facts)
        runs |= {(name, column): call for column, call in calls.items()}
    return rows, runs


def main() -> None:
    """Run the benchmark."""
    args = parse_args()
    args.precisions = args.precisions or PRECISIONS[args.runtime]
    torch.set_num_threads(args.threads)
    rows, runs = prepare_all(args)
    image = torch.randint(0, 256, (1, 3, *args.size), dtype=torch.uint8)
    latencies = measure_latency(runs, image, warmup=3, repeats=args.repeats, seconds=SECONDS)
    for (name, column), latency in latencies.items():
        next(row for row in rows if row['model'] == name)[column] = latency.median_ms
    rows.sort(key=lambda row: row[f'{args.precisions[0]} ms'])
    setting = {'size': list(args.size), 'threads': args.threads, 'runtime': args.runtime}
    write_result(args.out, {**setting, 'repeats': args.repeats, 'table': rows})
    wide_console().print(console_table(rows, title=str(setting)))
    print(f'Result: {args.out}')


if __name__ == '__main__':
    main()
