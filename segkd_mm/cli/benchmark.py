"""Compare models and runtimes: mIoU, latency, FPS, parameters, GMACs, peak memory, mIoU per second.

Examples:
  tools/benchmark.py configs/student/*_camvid.py --size 360 480
  tools/benchmark.py configs/student/mnv3s_slim_voc.py slim.onnx slim_int8.xml --peers --threads 1
  tools/benchmark.py configs/kd/response_kd_voc.py configs/teacher/fcn_r50_voc.py --device cuda

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
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import torch

from segkd_mm.build_hints import build_hints
from segkd_mm.cli import arguments
from segkd_mm.config import load_config, plain_student
from segkd_mm.deploy import is_exported_model
from segkd_mm.deploy.images import benchmark_batch
from segkd_mm.measure.candidate import Candidate, build_deployed, check_same_channels, measure
from segkd_mm.measure.floor import Machine
from segkd_mm.measure.peers import build_peers
from segkd_mm.normalisation import channels_of
from segkd_mm.results.files import write_result
from segkd_mm.results.speed_accuracy import (
    find_exported_score,
    find_score,
    group_by_dataset,
    join_scores,
    table_rows,
)
from segkd_mm.results.tables import console_table, wide_console
from segkd_mm.visualize.latency import draw_latency
from segkd_mm.visualize.speed_accuracy import draw_speed_accuracy


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = arguments.parser(__doc__)
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
    arguments.add_device(parser)
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
    arguments.add_cfg_options(parser)
    args = parser.parse_args()
    if Path(args.out).suffix != '.json':
        parser.error(f'--out {args.out}: expected a name that ends in .json')
    if is_exported_model(args.models[0]):
        parser.error(f'{args.models[0]}: expected a config first, with which others are compared')
    return args


def candidates(args: argparse.Namespace) -> dict[str, Candidate]:
    """The models to measure, by name."""
    device = torch.device(args.device)
    named = [name for name in args.models if not is_exported_model(name)]
    configs = {name: plain_student(load_config(name, args.cfg_options)) for name in named}
    # One measurement for a student and its distilled versions: else noise alone would rank them.
    keys = {name: json.dumps(c.model, sort_keys=True, default=str) for name, c in configs.items()}
    models = {key: build_deployed(configs[name].model, device) for name, key in keys.items()}
    channels = {name: channels_of(models[key]) for name, key in keys.items()}
    check_same_channels(channels)
    images = benchmark_batch(args.image, tuple(args.size), args.batch, channels[args.models[0]])
    images = images.to(device)
    distinct = {key: Candidate.from_model(model, images) for key, model in models.items()}
    found = {name: distinct[key] for name, key in keys.items()}
    for path in filter(is_exported_model, args.models):
        found[path] = Candidate.from_exported(path, images, args.threads)
    if args.peers:
        classes = models[keys[args.models[0]]].num_classes
        others = build_peers(classes, images)
        found |= {name: Candidate.from_model(model, images) for name, model in others.items()}
    return found


@build_hints()
def main() -> None:
    """Run the command line."""
    args = parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    # Read results first: a broken file is an error before minutes of measuring.
    scores = {
        m: find_exported_score(m) if is_exported_model(m) else find_score(m, args.results)
        for m in args.models
    }
    device = torch.device(args.device)
    machine, rows = measure(candidates(args), device, args.batch, args.repeats)
    report(args, machine, join_scores(rows, scores))


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
    tested = list(group_by_dataset(rows))
    whole_title = f'{tested[0]}; {title}' if len(tested) == 1 else title
    wide_console().print(console_table(table_rows(rows), title=whole_title))
    speeds = ', '.join(f'{speed:.0f} GFLOP/s in {kind}' for kind, speed in machine.gflops.items())
    print(f'The machine: {speeds}, {machine.gbytes:.0f} GB/s')
    print(f'Result: {args.out}')
    report_plots(Path(args.out).with_suffix(''), rows, title)
    report_untested(args, rows)


def report_plots(stem: Path, rows: Sequence[dict], title: str) -> None:
    """Draw latencies and, where a model has an mIoU, mIoU over latency; remove stale plots."""
    times, trades = stem.with_name(f'{stem.name}_ms.png'), stem.with_name(f'{stem.name}.png')
    draw_latency(times, rows, title)
    print(f'Times: {times}')
    if group_by_dataset(rows):
        draw_speed_accuracy(trades, rows, title)
        print(f'Plot: {trades}')
    else:
        trades.unlink(missing_ok=True)
        print('No plot of mIoU, as no config has one.')


def report_untested(args: argparse.Namespace, rows: Sequence[dict]) -> None:
    """Print which models have no mIoU, and how to get it."""
    found = {row['config']: row for row in rows}
    if untested := [model for model in args.models if not found[model]['mIoU']]:
        folders = ', '.join(args.results)
        print(f'No test result in {folders} for these; once trained, test them with:')
        for model in untested:
            config, last = found[model].get('made_from'), f'work_dirs/{Path(model).stem}/best.pth'
            print(f'  python tools/test.py {f"{config} {model}" if config else f"{model} {last}"}')
