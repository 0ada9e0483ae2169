"""What a term of logits tells a student at a low resolution, beside the same at full resolution.

Example:
  python benchmarks/kl_resolution.py kd/response_kd_camvid.py --student work_dirs/student/best.pth

On training crops of real images, with a real teacher in float32: the gradient of the term with
respect to all the student's parameters, at several strides of the crop (1 is full resolution). Of
each stride the table has the cosine of its gradient with that at full resolution, both of one batch
and of the sum of all; the loss and the gradient's length as parts of those at full resolution; and
time and peak memory of the term's forward and backward. "another batch" is what a stride has to be
seen beside: the cosine of the gradients of one batch and the next, both at full resolution.
"""

import argparse
import logging
from collections.abc import Callable, Iterator
from functools import partial
from itertools import pairwise
from statistics import mean, median

import torch
from full_size import Inputs, at_stride
from rich.progress import track
from torch import Tensor

from segkd_mm.cli.arguments import add_cfg_options
from segkd_mm.config import load_config
from segkd_mm.distill import Taps
from segkd_mm.distill.term import Term
from segkd_mm.doctor import Experiment
from segkd_mm.measure.latency import time_in_turn
from segkd_mm.measure.model_cost import MIB, peak_allocation
from segkd_mm.results.files import write_result
from segkd_mm.results.tables import console_table, wide_console

STRIDES = 1, 4, 8, 16


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', help='a distillation whose first term compares logits')
    parser.add_argument('--student', metavar='CKPT', help='(default: as training starts)')
    parser.add_argument(
        '--batches', type=int, default=4, help='of training crops, 2 or more (default: 4)'
    )
    parser.add_argument('--device', default='cpu', help='cpu, cuda, ... (default: cpu)')
    parser.add_argument('--threads', type=int, help="CPU threads (default: torch's choice)")
    parser.add_argument(
        '--out', default='work_dirs/kl_resolution.json', metavar='JSON', help='default: %(default)s'
    )
    add_cfg_options(parser)
    return parser.parse_args()


def tapped(experiment: Experiment, batch: dict) -> Inputs:
    """What the first term is given in a training step."""
    model = experiment.model.train()
    data = model.data_preprocessor(batch, True)
    (term, *_) = model.terms.values()
    with Taps(model.student, [term.student]) as taps:
        model.student.loss(**data)
    (student,) = taps.pop().values()
    teacher = model.teacher(data['inputs'], None, data['data_samples'])
    return student, teacher, torch.cat([s.gt_sem_seg.data for s in data['data_samples']])


def compare(term: Term, stride: int, inputs: Inputs) -> Tensor:
    """The term's loss at a stride."""
    return term(*at_stride(stride)(term, inputs))


def gradients(
    experiment: Experiment, batches: Iterator[dict]
) -> Iterator[tuple[dict[int, Tensor], dict[int, float]]]:
    """By stride the gradient, flat, and the loss of each batch."""
    (term, *_) = experiment.model.terms.values()
    parameters = [p for p in experiment.student.parameters() if p.requires_grad]
    for batch in batches:
        inputs = tapped(experiment, batch)
        losses = {stride: compare(term, stride, inputs) for stride in STRIDES}
        yield (
            {s: flat(torch.autograd.grad(x, parameters, retain_graph=True, allow_unused=True))
             for s, x in losses.items()},
            {stride: loss.item() for stride, loss in losses.items()},
        )  # fmt: skip


def flat(tensors: tuple[Tensor | None, ...]) -> Tensor:
    """All in one row, those that are there."""
    return torch.cat([tensor.flatten() for tensor in tensors if tensor is not None])


def cosine(x: Tensor, y: Tensor) -> float:
    """Of two rows."""
    return torch.cosine_similarity(x.double(), y.double(), 0).item()


def costs(term: Term, inputs: Inputs, device: torch.device) -> dict[int, tuple[float, float]]:
    """By stride the milliseconds and the peak MiB of the term's forward and backward."""
    student, teacher, labels = inputs
    student = student.detach().requires_grad_()

    def run(stride: int) -> None:
        compare(term, stride, (student, teacher, labels)).backward()

    runs: dict[int, Callable] = {stride: partial(run, stride) for stride in STRIDES}
    times = time_in_turn(runs, device, warmup=2, repeats=20)
    return {s: (1000 * median(times[s]), peak_allocation(runs[s], device) / MIB) for s in STRIDES}


def rows(measured: list, cost: dict[int, tuple[float, float]]) -> list[dict]:
    """The table, a row for each stride."""
    grads, losses = zip(*measured, strict=True)
    full, total = STRIDES[0], {s: sum(grad[s] for grad in grads) for s in STRIDES}
    table = [
        {
            'stride': str(s),
            'cosine': digits(mean(cosine(grad[s], grad[full]) for grad in grads)),
            'cosine of the sums': digits(cosine(total[s], total[full])),
            'loss, x': mean(loss[s] / loss[full] for loss in losses),
            'gradient, x': mean((grad[s].norm() / grad[full].norm()).item() for grad in grads),
            'ms': cost[s][0],
            'peak MiB': cost[s][1],
        }
        for s in STRIDES
    ]
    apart = [cosine(a[full], b[full]) for a, b in pairwise(grads)]
    return [*table, {'stride': '1, another batch', 'cosine': digits(mean(apart))}]


def digits(cosine: float) -> str:
    """With as many as tell a good one from a better."""
    return f'{cosine:.4f}'


def main() -> None:
    """Run the command line."""
    args = parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    logging.disable(logging.WARNING)  # mmengine writes a page on how each weight was made
    config = load_config(args.config, args.cfg_options)
    config.model.teacher.setdefault('precision', 'fp32')
    experiment = Experiment(config, args.device, args.student)
    batches = [*experiment.batches('train', args.batches)]
    measured = [*gradients(experiment, track(batches, 'batches', transient=True))]
    (term, *_) = experiment.model.terms.values()
    cost = costs(term, tapped(experiment, batches[0]), experiment.device)
    table = rows(measured, cost)
    images = sum(len(batch['inputs']) for batch in batches)
    setting = {
        'config': args.config,
        'student': args.student,
        'images': images,
        'device': args.device,
        'threads': torch.get_num_threads(),
    }
    write_result(args.out, {**setting, 'table': table})
    wide_console().print(console_table(table, title=f'{args.config}, {images} images'))
    print(f'Result: {args.out}')


if __name__ == '__main__':
    main()
