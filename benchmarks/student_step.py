"""What mixed precision, channels_last and accumulation make of a plain student's training step.

Examples:
  python benchmarks/student_step.py --threads 1
  python benchmarks/student_step.py student/psp_r18_cityscapes.py --size 512 512 --device cuda

Steps (forward, backward, optimizer) are measured side by side in one run, turn by turn, on noise,
with random weights. Two halves accumulated are two steps of half the batch, with one update. The
result file has the ratios of the plain step's time to each in `ratios`.
"""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from mmengine.config import Config
from mmengine.optim import OptimWrapper
from mmengine.registry import OPTIM_WRAPPERS
from torch import nn

from segkd_mm.cli.arguments import add_cfg_options
from segkd_mm.config import load_config, plain_student
from segkd_mm.measure.step_cost import TrainingStep, build_model, random_batch, step_costs
from segkd_mm.results.files import write_result
from segkd_mm.results.tables import console_table, wide_console

PLAIN = 'float32'


@OPTIM_WRAPPERS.register_module()
class BF16(OptimWrapper):
    """Mixed precision in bf16 on any device, without a scaler, which it does not need."""

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Around the forward of a step."""
        device = next(model.parameters()).device.type
        with super().optim_context(model), torch.autocast(device, torch.bfloat16):
            yield


class Halves:
    """A training step in two halves of the batch, whose gradients are summed.

    Args:
        model: As of :class:`segkd_mm.measure.step_cost.TrainingStep`.
        config: Likewise.
        batch: Likewise.
    """

    def __init__(self, model: nn.Module, config: Config, batch: dict) -> None:
        half = len(batch['inputs']) // 2
        first, second = ({k: v[part] for k, v in batch.items()}
                         for part in (slice(half), slice(half, None)))  # fmt: skip
        self.steps = [TrainingStep(model, config, first), TrainingStep(model, config, second)]
        self.steps[1].wrapper = self.steps[0].wrapper

    def __call__(self) -> None:
        for step in self.steps:
            step()


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', nargs='?', default='student/mnv3s_slim_voc.py',
                        help='of the student (default: %(default)s)')  # fmt: skip
    parser.add_argument('--size', nargs=2, type=int, default=(256, 256), metavar=('H', 'W'),
                        help='of the crops (default: 256 256)')  # fmt: skip
    parser.add_argument('--batch', type=int, default=16, help='crops a step (default: 16)')
    parser.add_argument('--device', default='cpu', help='cpu, cuda, ... (default: cpu)')
    parser.add_argument('--threads', type=int, help="CPU threads (default: torch's choice)")
    parser.add_argument('--repeats', type=int, default=10, help='timed steps (default: 10)')
    parser.add_argument(
        '--out', default='work_dirs/student_step.json', metavar='JSON', help='default: %(default)s'
    )
    add_cfg_options(parser)
    return parser.parse_args()


def measure(config: Config, args: argparse.Namespace) -> dict[str, dict[str, float]]:
    """Costs of the steps, by name."""
    device = torch.device(args.device)
    batch = random_batch(args.batch, tuple(args.size), config.num_classes)

    def step(kind: type = TrainingStep, channels_last: bool = False, **wrapper) -> object:
        own = Config(config.to_dict())
        own.optim_wrapper.update(wrapper)
        model = build_model(own, device)
        if channels_last:
            model.to(memory_format=torch.channels_last)
        return kind(model, own, batch)

    steps = {
        PLAIN: step(),
        'float32, channels_last': step(channels_last=True),
        'bf16': step(type='BF16'),
        'bf16, channels_last': step(type='BF16', channels_last=True),
        'float32, two halves accumulated': step(Halves, accumulative_counts=2),
    }
    return step_costs(steps, device, args.repeats)


def main() -> None:
    """Run the command line."""
    args = parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    config = plain_student(load_config(args.config, args.cfg_options))
    config.model.data_preprocessor.size = tuple(args.size)
    costs = measure(config, args)
    ratios = {name: costs[PLAIN]['ms'] / cost['ms'] for name, cost in costs.items()}
    table = [
        {'step': name, 'ms': cost['ms'], 'times as fast': ratios[name],
         'peak MiB': cost['peak_mib']}
        for name, cost in costs.items()
    ]  # fmt: skip
    setting = {
        'config': args.config,
        'size': list(args.size),
        'batch': args.batch,
        'device': args.device,
        'threads': torch.get_num_threads(),
    }
    write_result(args.out, {**setting, 'ratios': ratios, 'steps': costs, 'table': table})
    title = '{config}, {batch} x {size[0]}x{size[1]} on {device}, threads: {threads}'
    wide_console().print(console_table(table, title=title.format(**setting)))
    print(f'Result: {args.out}')


if __name__ == '__main__':
    main()
