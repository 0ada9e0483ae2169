"""Compare models and runtimes: mIoU, latency, FPS, parameters, GMACs, peak memory, mIoU per second.

Examples:
  tools/benchmark.py configs/student/*_camvid.py --size 360 480
  tools/benchmark.py configs/student/mnv3s_slim_voc.py slim.onnx slim_int8.xml --peers --threads 1
  tools/benchmark.py configs/kd/cwd_voc.py configs/teacher/fcn_r50_voc.py --device cuda --batch 8

All are measured side by side in one run, turn by turn, so that a busy machine slows all alike.
Times are from a uint8 image to its labels, normalisation and upsampling included:
  ms         the fast way: normalised in place, labels from the logits at the model's own stride
  mmseg ms   mmseg's way: its preprocessor, all logits upsampled to the image, the best class taken
  x          how many times faster than mmseg's way of the first config
  logits ms  from the normalised image to the logits alone
  x floor    that beside the machine's floor, see segkd_mm/measure/floor.py

Of a config the weights hardly matter for speed, so none are loaded. What is measured is what is
deployed: of a distillation config the student, and no auxiliary heads, which only training uses.
Configs of the very same model share one measurement. An exported file of tools/export.py runs in
its own runtime, with --threads or else one thread: several thread pools in one process get in each
other's way. --peers adds models of torchvision, segmentation_models.pytorch and mmseg, with random
weights and as many classes as the first config.

mIoU is what tools/test.py measured on the test split, by the name of the config: the mean over
seeds, with the standard deviation, of the first DIR of --results that has any; of an exported file,
what FILE.test_test.json beside it says. It compares within one data set, and with a latency at the
image size that it was tested at (--size). The plot of mIoU over latency, with the Pareto front,
goes beside the result file, and so does one of the times.
"""

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import torch
from mmengine.config import Config, DictAction
from mmengine.registry import init_default_scope
from mmseg.registry import MODELS
from torch import Tensor, nn

from segkd_mm.config import config_dir, load_config, plain_student
from segkd_mm.deploy import FastLabels, MMSegLabels, is_artefact, load_runtime
from segkd_mm.deploy.images import sized
from segkd_mm.measure.floor import PRECISIONS, Layer, Machine, layers_of, machine_of, machine_runs
from segkd_mm.measure.inference import inference
from segkd_mm.measure.latency import Latency, time_in_turn
from segkd_mm.measure.model_cost import count_gmacs, count_parameters, peak_memory
from segkd_mm.results.efficiency import (
    by_data,
    deployed,
    find_exported_score,
    find_score,
    table_rows,
    with_scores,
)
from segkd_mm.results.files import write_result
from segkd_mm.results.tables import console_table, wide_console
from segkd_mm.visualize.efficiency import draw_efficiency
from segkd_mm.visualize.latency import draw_latency

WAYS = 'labels', 'mmseg', 'logits'


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        'models',
        nargs='+',
        metavar='MODEL',
        help='config files, names of `python -m segkd_mm configs`, or exported files: .onnx, .xml, '
        '.pt2; the first one is a config',
    )
    parser.add_argument('--peers', action='store_true', help='other light models beside them')
    parser.add_argument(
        '--size', nargs=2, type=int, default=(512, 512), metavar=('H', 'W'), help='default: 512 512'
    )
    parser.add_argument(
        '--image', help='what to label (default: noise, of which fewer classes can be left out)'
    )
    parser.add_argument('--batch', type=int, default=1, help='images a call (default: 1)')
    parser.add_argument('--device', default='cpu', help='cpu, cuda, cuda:1, ... (default: cpu)')
    parser.add_argument('--threads', type=int, help="CPU threads (default: torch's choice)")
    parser.add_argument('--repeats', type=int, default=50, help='timed calls (default: 50)')
    parser.add_argument(
        '--results',
        nargs='+',
        default=['results', 'work_dirs'],
        metavar='DIR',
        help='where results of tools/test.py lie, as DIR/DATASET/CONFIG/SEED.json or '
        'DIR/CONFIG/test_test.json (default: results work_dirs)',
    )
    parser.add_argument(
        '--out',
        default='work_dirs/benchmark.json',
        metavar='JSON',
        help='result file; the plots are written beside it, as .png and _ms.png '
        '(default: %(default)s)',
    )
    parser.add_argument(
        '--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE', help='override configs'
    )
    args = parser.parse_args()
    if Path(args.out).suffix != '.json':
        parser.error(f'--out {args.out}: expected a name that ends in .json')
    if is_artefact(args.models[0]):
        parser.error(f'{args.models[0]}: expected a config first, with which others are compared')
    return args


def build(model: dict, device: torch.device) -> nn.Module:
    """A model as it is deployed, with random weights, on the device."""
    init_default_scope('mmseg')
    return deployed(MODELS.build(model)).to(device).eval()


def peers(classes: int) -> dict[str, dict]:
    """The models of others by name, for so many classes."""
    files = sorted((config_dir() / '_base_' / 'peers').glob('*.py'))
    models = {file.stem: Config.fromfile(file).peer for file in files}
    for model in models.values():
        model.get('decode_head', model).num_classes = classes
    return models


@torch.inference_mode()
def build_peers(classes: int, images: Tensor) -> dict[str, nn.Module]:
    """Those that are installed and take images of this size; the others are named."""
    models = {}
    for name, model in peers(classes).items():
        try:
            peer = build(model, images.device)
            FastLabels.of(peer)(images)
        except (ImportError, RuntimeError) as error:
            print(f'{name} is left out: {error}')
        else:
            models[name] = peer
    return models


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
            model = build(plain_student(load_config(data['config'])).model, torch.device('cpu'))
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


def candidates(args: argparse.Namespace) -> dict[str, Candidate]:
    """All that is to be measured, by name."""
    images = sized(args.image, tuple(args.size), args.batch).to(args.device)
    device = images.device
    named = [name for name in args.models if not is_artefact(name)]
    configs = {name: plain_student(load_config(name, args.cfg_options)) for name in named}
    # One measurement for a student and its distilled versions: else noise alone would rank them.
    keys = {name: json.dumps(c.model, sort_keys=True, default=str) for name, c in configs.items()}
    models = {key: build(configs[name].model, device) for name, key in keys.items()}
    distinct = {key: Candidate.of(model, images) for key, model in models.items()}
    found = {name: distinct[key] for name, key in keys.items()}
    for path in filter(is_artefact, args.models):
        found[path] = Candidate.of_exported(path, images, args.threads)
    if args.peers:
        classes = models[keys[args.models[0]]].num_classes
        others = build_peers(classes, images)
        found |= {name: Candidate.of(model, images) for name, model in others.items()}
    return found


def measure(
    models: Mapping[str, Candidate], args: argparse.Namespace
) -> tuple[Machine, list[dict]]:
    """How fast the machine is, and what each model costs, as rows of the result file."""
    device = torch.device(args.device)
    floor = machine_runs(device, sorted({m.precision for m in models.values()} & set(PRECISIONS)))
    distinct = {id(model): model for model in models.values()}
    runs = {(key, way): run for key, model in distinct.items() for way, run in model.runs.items()}
    with inference():
        times = time_in_turn(floor | runs, device, repeats=args.repeats)
    machine = machine_of({key: times[key] for key in floor})
    latency = {key: asdict(Latency.of(times[key], args.batch)) for key in runs}
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


def main() -> None:
    """Run the command line."""
    args = parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    # Results first: a broken one is said before minutes of measuring.
    scores = {
        m: find_exported_score(m) if is_artefact(m) else find_score(m, args.results)
        for m in args.models
    }
    machine, rows = measure(candidates(args), args)
    report(args, machine, with_scores(rows, scores))


def report(args: argparse.Namespace, machine: Machine, rows: Sequence[dict]) -> None:
    """Print the table, write the result file and the plots, and say where they are."""
    setting = {
        'size': list(args.size),
        'batch': args.batch,
        'device': args.device,
        'threads': torch.get_num_threads(),
    }
    ratios = {row['config']: row['speedup'] for row in rows}
    result = {**setting, 'machine': asdict(machine), 'ratios': ratios, 'models': rows}
    write_result(args.out, result)
    title = '{batch} x {size[0]}x{size[1]} on {device}, threads: {threads}'.format(**setting)
    tested = list(by_data(rows))
    whole_title = f'{tested[0]}; {title}' if len(tested) == 1 else title
    wide_console().print(console_table(table_rows(rows), title=whole_title))
    speeds = ', '.join(f'{speed:.0f} GFLOP/s in {kind}' for kind, speed in machine.gflops.items())
    print(f'The machine: {speeds}, {machine.gbytes:.0f} GB/s')
    print(f'Result: {args.out}')
    report_plots(Path(args.out).with_suffix(''), rows, title)
    report_untested(args, rows)


def report_plots(stem: Path, rows: Sequence[dict], title: str) -> None:
    """Draw times, and mIoU over time; where nothing has one, no plot of another run may stay."""
    times, trades = stem.with_name(f'{stem.name}_ms.png'), stem.with_name(f'{stem.name}.png')
    draw_latency(times, rows, title)
    print(f'Times: {times}')
    if by_data(rows):
        draw_efficiency(trades, rows, title)
        print(f'Plot: {trades}')
    else:
        trades.unlink(missing_ok=True)
        print('No plot of mIoU, as no config has one.')


def report_untested(args: argparse.Namespace, rows: Sequence[dict]) -> None:
    """Say which of the models named have no mIoU, and how to get one."""
    found = {row['config']: row for row in rows}
    if untested := [model for model in args.models if not found[model]['mIoU']]:
        folders = ', '.join(args.results)
        print(f'No test result in {folders} for these; once trained, test them with:')
        for model in untested:
            config, last = found[model].get('made_from'), f'work_dirs/{Path(model).stem}/best.pth'
            print(f'  python tools/test.py {f"{config} {model}" if config else f"{model} {last}"}')


if __name__ == '__main__':
    main()
