"""What precision, memory format and fused norms make of a teacher's time, and of what it says.

Example:
  python benchmarks/teacher_options.py kd/response_kd_camvid.py --threads 1

The teacher of a distillation is built in each way and run on training crops of real images, turn by
turn in one run. Errors are those of its logits beside float32 with norms as they are: the share of
cells whose best class differs, in percent, and the mean KL divergence, in nats. The result file has
the ratios of that way's time to each in `ratios`.
"""

import argparse
import logging
from collections.abc import Callable, Sequence
from functools import partial
from statistics import median
from unittest.mock import patch

import torch
from mmengine.config import Config
from mmseg.registry import MODELS
from rich.progress import track
from torch import Tensor

from segkd_mm.cli.arguments import add_cfg_options
from segkd_mm.config import load_config
from segkd_mm.distill import Teacher
from segkd_mm.distill.fuse_norms import fused
from segkd_mm.doctor import Experiment
from segkd_mm.measure.latency import time_in_turn
from segkd_mm.results.files import write_result
from segkd_mm.results.tables import console_table, wide_console

PLAIN, BEST = 'float32', 'bf16, fused, channels_last'
# By name the options of the teacher, and whether its norms become part of the convolutions.
WAYS = {
    PLAIN: (dict(precision='fp32'), False),
    'float32, channels_last': (dict(precision='fp32', channels_last=True), False),
    'float32, fused': (dict(precision='fp32'), True),
    'float32, fused, channels_last': (dict(precision='fp32', channels_last=True), True),
    'bf16': (dict(precision='bf16', channels_last=False), False),
    'bf16, channels_last': (dict(precision='bf16'), False),
    'bf16, fused': (dict(precision='bf16', channels_last=False), True),
    BEST: (dict(precision='bf16'), True),
}
INFERENCE = f'{BEST}, inference mode'


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', help='a distillation whose first term compares logits')
    parser.add_argument('--batches', type=int, default=4, help='of training crops (default: 4)')
    parser.add_argument('--device', default='cpu', help='cpu, cuda, ... (default: cpu)')
    parser.add_argument('--threads', type=int, help="CPU threads (default: torch's choice)")
    parser.add_argument('--repeats', type=int, default=10, help='timed rounds (default: 10)')
    parser.add_argument(
        '--out', default='work_dirs/teacher_options.json', metavar='JSON',
        help='default: %(default)s',
    )  # fmt: skip
    add_cfg_options(parser)
    return parser.parse_args()


def build(config: Config, way: str, experiment: Experiment) -> Teacher:
    """The teacher of a config, in one way."""
    options, fuses = WAYS[way]
    (term, *_) = config.model.terms.values()
    teacher = MODELS.build({**config.model.teacher, **options})
    with patch(f'{Teacher.__module__}.fused', fused if fuses else lambda model, look: model):
        teacher.prepare({term.teacher}, experiment.model.data_preprocessor)
    return teacher.to(experiment.device)


def errors(teacher: Teacher, plain: Teacher, batches: Sequence[Tensor]) -> tuple[float, float]:
    """Labels that differ, in percent, and mean KL divergence of what two teachers say."""
    differ, kl = [], []
    for images in batches:
        p, q = (next(iter(t(images).values())).double().log_softmax(1) for t in (plain, teacher))
        differ.append((p.argmax(1) != q.argmax(1)).double().mean().item())
        kl.append((p.exp() * (p - q)).sum(1).mean().item())
    return 100 * sum(differ) / len(differ), sum(kl) / len(kl)


def main() -> None:
    """Run the command line."""
    args = parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    logging.disable(logging.WARNING)  # mmengine writes a page on how each weight was made
    config = load_config(args.config, args.cfg_options)
    experiment = Experiment(config, args.device)
    batches = [
        experiment.model.data_preprocessor(batch, True)['inputs']
        for batch in experiment.batches('train', args.batches)
    ]
    teachers = {way: build(config, way, experiment) for way in WAYS}
    runs: dict[str, Callable] = {way: partial(t, batches[0]) for way, t in teachers.items()}
    runs[INFERENCE] = torch.inference_mode()(runs[BEST])
    times = time_in_turn(runs, experiment.device, 1, args.repeats, seconds=600)
    ms = {way: 1000 * median(taken) for way, taken in times.items()}
    table = [
        {'teacher': way, 'ms': taken, 'times as fast': ms[PLAIN] / taken}
        for way, taken in ms.items()
    ]
    for row, teacher in zip(
        table, track(teachers.values(), 'errors', transient=True), strict=False
    ):
        differ, kl = errors(teacher, teachers[PLAIN], batches)
        row |= {'labels that differ, %': f'{differ:.3f}', 'KL, nats': f'{kl:.1e}'}
    setting = {
        'config': args.config,
        'images': list(batches[0].shape),
        'device': args.device,
        'threads': torch.get_num_threads(),
    }
    ratios = {way: ms[PLAIN] / taken for way, taken in ms.items()}
    write_result(args.out, {**setting, 'ratios': ratios, 'table': table})
    wide_console().print(console_table(table, title=f'{args.config}, {tuple(batches[0].shape)}'))
    print(f'Result: {args.out}')


if __name__ == '__main__':
    main()
