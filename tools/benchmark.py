"""Measure what models cost: parameters, GMACs, latency, FPS, peak memory.

Examples:
  tools/benchmark.py configs/student/mnv3s_slim_voc.py
  tools/benchmark.py configs/student/*_voc.py --size 256 256 --threads 1
  tools/benchmark.py configs/kd/cwd_voc.py configs/teacher/fcn_r50_voc.py --device cuda --batch 8

All configs are measured side by side in one run, turn by turn, so that a busy machine slows all
alike. "logits" is the time to logits at the model's own stride; "labels" adds the upsampling to the
size of the image and the choice of the class. Of a distillation config the student is measured.
Weights do not matter for speed, so none are loaded.
"""

import argparse
from dataclasses import asdict
from pathlib import Path

import torch
from mmengine.config import DictAction
from mmengine.registry import init_default_scope
from mmseg.registry import MODELS
from rich import print as show
from torch import Tensor, nn

from segkd_mm.config import load_config, plain_student
from segkd_mm.report.results import write_result
from segkd_mm.report.speed import (
    ToLabels,
    count_gmacs,
    count_parameters,
    measure_latency,
    peak_memory,
)
from segkd_mm.report.tables import console_table


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
        '--out', default='work_dirs/benchmark.json', help='result file (default: %(default)s)'
    )
    parser.add_argument(
        '--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE', help='override configs'
    )
    return parser.parse_args()


def build(config: str, args: argparse.Namespace) -> nn.Module:
    """The plain model of a config, with random weights, on the device."""
    config = plain_student(load_config(config, args.cfg_options))
    init_default_scope(config.get('default_scope', 'mmseg'))
    return MODELS.build(config.model).to(args.device).eval()


def measure(models: dict[str, nn.Module], images: Tensor, repeats: int) -> list[dict]:
    """What each model costs, as rows of a table."""
    runs = {(name, 'logits'): model for name, model in models.items()}
    runs |= {(name, 'labels'): ToLabels(model) for name, model in models.items()}
    latency = measure_latency(runs, images, repeats=repeats)
    return [
        {
            'config': name,
            'parameters': count_parameters(model),
            'gmacs': count_gmacs(model, images.shape[2:]),
            'peak_memory_mib': peak_memory(ToLabels(model), images),
            'logits': asdict(latency[name, 'logits']),
            'labels': asdict(latency[name, 'labels']),
        }
        for name, model in models.items()
    ]


def table_rows(row: dict) -> list[dict]:
    """Two rows for people: to logits, to labels."""
    return [
        {
            'config': Path(row['config']).stem,
            'to': kind,
            'parameters': row['parameters'],
            'GMACs': row['gmacs'],
            'ms': row[kind]['median_ms'],
            'p90': row[kind]['p90_ms'],
            'FPS': row[kind]['fps'],
            'MiB': row['peak_memory_mib'] if kind == 'labels' else None,
        }
        for kind in ('logits', 'labels')
    ]


def main() -> None:
    """Run the command line."""
    args = parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    images = torch.randn(args.batch, 3, *args.size, device=args.device)
    rows = measure({config: build(config, args) for config in args.configs}, images, args.repeats)
    setting = {'size': list(args.size), 'batch': args.batch, 'device': args.device}
    write_result(args.out, {**setting, 'models': rows})
    title = f'{args.batch} x {args.size[0]}x{args.size[1]} on {args.device}'
    show(console_table([line for row in rows for line in table_rows(row)], title=title))
    print(f'Result: {args.out}')


if __name__ == '__main__':
    main()
