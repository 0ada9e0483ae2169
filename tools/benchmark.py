"""Compare models: mIoU, latency, FPS, parameters, GMACs, peak memory, mIoU per second.

Examples:
  tools/benchmark.py configs/student/*_camvid.py --size 360 480
  tools/benchmark.py configs/student/*_voc.py --size 256 256 --threads 1
  tools/benchmark.py configs/kd/cwd_voc.py configs/teacher/fcn_r50_voc.py --device cuda --batch 8

All configs are measured side by side in one run, turn by turn, so that a busy machine slows all
alike. Times are to labels: the logits, their upsampling to the size of the image, and the choice of
the class; the result file has those to logits too. Weights do not matter for speed, so none are
loaded. What is measured is what is deployed: of a distillation config the student, and no auxiliary
heads, which only training uses. Configs of the very same model share one measurement.

mIoU is what tools/test.py measured on the test split, by the name of the config: the mean over
seeds, with the standard deviation, of the first DIR of --results that has any. It compares within
one data set, and with a latency at the image size that it was tested at (--size). The plot of mIoU
over latency, with the Pareto front, goes beside the result file.
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import torch
from mmengine.config import Config, DictAction
from mmengine.registry import init_default_scope
from mmseg.registry import MODELS
from torch import Tensor, nn

from segkd_mm.config import load_config, plain_student
from segkd_mm.report.efficiency import by_data, deployed, find_score, table_rows, with_scores
from segkd_mm.report.efficiency_plot import draw_efficiency
from segkd_mm.report.results import write_result
from segkd_mm.report.speed import (
    ToLabels,
    count_gmacs,
    count_parameters,
    measure_latency,
    peak_memory,
)
from segkd_mm.report.tables import console_table, wide_console


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        'configs', nargs='+', help='config files, or names of `python -m segkd_mm configs`'
    )
    parser.add_argument(
        '--size', nargs=2, type=int, default=(512, 512), metavar=('H', 'W'), help='default: 512 512'
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
        help='result file; the plot is written beside it, as .png (default: %(default)s)',
    )
    parser.add_argument(
        '--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE', help='override configs'
    )
    args = parser.parse_args()
    if Path(args.out).suffix != '.json':
        parser.error(f'--out {args.out}: expected a name that ends in .json')
    return args


def build(config: Config, device: torch.device) -> nn.Module:
    """The model of a config as it is deployed, with random weights, on the device."""
    init_default_scope(config.get('default_scope', 'mmseg'))
    return deployed(MODELS.build(config.model)).to(device).eval()


def measure(configs: dict[str, Config], images: Tensor, repeats: int) -> list[dict]:
    """What each config costs, as rows of the result file."""
    # One measurement for a student and its distilled versions: else noise alone would rank them.
    keys = {name: json.dumps(c.model, sort_keys=True, default=str) for name, c in configs.items()}
    distinct = {key: configs[name] for name, key in keys.items()}
    models = {key: build(config, images.device) for key, config in distinct.items()}
    costs = measure_models(models, images, repeats)
    return [{'config': name, **costs[key]} for name, key in keys.items()]


def measure_models(models: dict[str, nn.Module], images: Tensor, repeats: int) -> dict[str, dict]:
    """What each model costs."""
    runs = {(name, 'logits'): model for name, model in models.items()}
    runs |= {(name, 'labels'): ToLabels(model) for name, model in models.items()}
    latency = measure_latency(runs, images, repeats=repeats)
    return {
        name: {
            'parameters': count_parameters(model),
            'gmacs': count_gmacs(model, images.shape[2:]),
            'peak_memory_mib': peak_memory(ToLabels(model), images),
            'logits': asdict(latency[name, 'logits']),
            'labels': asdict(latency[name, 'labels']),
        }
        for name, model in models.items()
    }


def main() -> None:
    """Run the command line."""
    args = parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    # Results first: a broken one is said before minutes of measuring.
    scores = {config: find_score(config, args.results) for config in args.configs}
    configs = {c: plain_student(load_config(c, args.cfg_options)) for c in args.configs}
    images = torch.randn(args.batch, 3, *args.size, device=args.device)
    report(args, with_scores(measure(configs, images, args.repeats), scores))


def report(args: argparse.Namespace, rows: Sequence[dict]) -> None:
    """Print the table, write the result file and the plot, and say where they are."""
    setting = {
        'size': list(args.size),
        'batch': args.batch,
        'device': args.device,
        'threads': torch.get_num_threads(),
    }
    write_result(args.out, {**setting, 'models': rows})
    title = '{batch} x {size[0]}x{size[1]} on {device}, threads: {threads}'.format(**setting)
    tested = list(by_data(rows))
    whole_title = f'{tested[0]}; {title}' if len(tested) == 1 else title
    wide_console().print(console_table(table_rows(rows), title=whole_title))
    print(f'Result: {args.out}')
    report_plot(Path(args.out).with_suffix('.png'), rows, title)
    report_untested([row['config'] for row in rows if row['mIoU'] is None], args.results)


def report_plot(path: Path, rows: Sequence[dict], title: str) -> None:
    """Draw what has an mIoU; where nothing has, no plot of another run may stay."""
    if by_data(rows):
        draw_efficiency(path, rows, title)
        print(f'Plot: {path}')
    else:
        path.unlink(missing_ok=True)
        print('No plot, as no config has an mIoU.')


def report_untested(configs: Sequence[str], folders: Sequence[str]) -> None:
    """Say which configs have no mIoU, and how to get one."""
    if configs:
        print(f'No test result in {", ".join(folders)} for these; once trained, test them with:')
    for config in configs:
        print(f'  python tools/test.py {config} work_dirs/{Path(config).stem}/best.pth')


if __name__ == '__main__':
    main()
