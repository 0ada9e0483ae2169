"""What distillation costs a training step: time and peak memory beside the plain student's step.

Examples:
  python benchmarks/kd_step.py
  python benchmarks/kd_step.py configs/kd/*_voc.py --size 512 512 --batch 16 --device cuda

All configs must have the same student. Their steps (forward, backward, optimizer), a step of the
plain student, and the teacher's forward alone are measured side by side in one run, turn by turn,
so that a busy machine slows all alike; on noise, with random weights, which does not matter for
the cost, and with every schedule of weights at its highest. Peak memory is what a step needs above
weights and the optimizer's state. The result file has the ratios to the plain step in `ratios`.
"""

import argparse
import json
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from mmengine.config import Config, DictAction
from mmengine.registry import init_default_scope
from mmseg.registry import MODELS

from segkd_mm.config import config_dir, load_config, plain_student
from segkd_mm.report.results import write_result
from segkd_mm.report.step_cost import TrainingStep, build_model, random_batch, step_costs
from segkd_mm.report.tables import console_table, wide_console

PLAIN = 'plain student'
TEACHER = "teacher's forward"


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        'configs',
        nargs='*',
        default=sorted(map(str, config_dir().glob('kd/*_camvid.py'))),
        help='distillation configs (default: configs/kd/*_camvid.py)',
    )
    parser.add_argument('--size', nargs=2, type=int, default=(240, 320), metavar=('H', 'W'),
                        help='of the crops (default: 240 320)')  # fmt: skip
    parser.add_argument('--batch', type=int, default=8, help='crops a step (default: 8)')
    parser.add_argument('--device', default='cpu', help='cpu, cuda, ... (default: cpu)')
    parser.add_argument('--threads', type=int, help="CPU threads (default: torch's choice)")
    parser.add_argument('--repeats', type=int, default=10, help='timed steps (default: 10)')
    parser.add_argument(
        '--out', default='work_dirs/kd_step.json', metavar='JSON', help='default: %(default)s'
    )
    parser.add_argument(
        '--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE', help='override configs'
    )
    return parser.parse_args()


def load(path: str, args: argparse.Namespace, folder: Path) -> Config:
    """A config whose student starts from random weights, and its teacher from a file of such.

    Raises:
        ValueError: It is no distillation.
    """
    config = load_config(path, args.cfg_options)
    if config.model.type != 'SegDistiller':
        raise ValueError(f'{path}: the model is {config.model.type}, expected SegDistiller.')
    config.model.student.data_preprocessor.size = tuple(args.size)
    # Teachers alike share a file.
    model = config.model.teacher.model
    file = folder / f'{abs(hash(json.dumps(model, sort_keys=True, default=str)))}.pth'
    if not file.exists():
        init_default_scope(config.default_scope)
        torch.save(MODELS.build(model).state_dict(), file)
    config.model.teacher.checkpoint = str(file)
    return config


def steps(configs: dict[str, Config], args: argparse.Namespace) -> dict[str, object]:
    """What is measured, by name.

    Raises:
        ValueError: The configs have different students.
    """
    students = {name: plain_student(config) for name, config in configs.items()}
    first, *others = students.values()
    if any(other.model != first.model for other in others):
        raise ValueError(f'{", ".join(configs)} have different students; measure them apart.')
    device = torch.device(args.device)
    batch = random_batch(args.batch, tuple(args.size), first.num_classes)
    made = {PLAIN: TrainingStep(build_model(first, device), first, batch)}
    for name, config in configs.items():
        made[name] = TrainingStep(build_model(config, device), config, batch)
    images = torch.randn(args.batch, 3, *args.size, device=device)
    return {**made, TEACHER: partial(made[next(iter(configs))].model.teacher, images)}


def rows(costs: dict[str, dict[str, float]]) -> list[dict]:
    """The table, the cheapest first."""
    return [
        {
            'step': name,
            'ms': cost['ms'],
            'x plain': cost['ms'] / costs[PLAIN]['ms'],
            'peak MiB': cost['peak_mib'],
            **(beyond(cost, costs) if name not in (PLAIN, TEACHER) else {}),
        }
        for name, cost in sorted(costs.items(), key=lambda item: item[1]['ms'])
    ]


def beyond(cost: dict[str, float], costs: dict[str, dict[str, float]]) -> dict[str, float]:
    """What a distillation takes beyond the student and the teacher."""
    return {
        'ms of the terms': cost['ms'] - costs[PLAIN]['ms'] - costs[TEACHER]['ms'],
        'MiB beyond plain': cost['peak_mib'] - costs[PLAIN]['peak_mib'],
    }


def main() -> None:
    """Run the command line."""
    args = parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    with TemporaryDirectory() as folder:
        configs = {Path(path).stem: load(path, args, Path(folder)) for path in args.configs}
        costs = step_costs(steps(configs, args), torch.device(args.device), args.repeats)
    setting = {
        'size': list(args.size),
        'batch': args.batch,
        'device': args.device,
        'threads': torch.get_num_threads(),
    }
    ratios = {name: cost['ms'] / costs[PLAIN]['ms'] for name, cost in costs.items()}
    write_result(args.out, {**setting, 'ratios': ratios, 'steps': costs, 'table': rows(costs)})
    title = '{batch} x {size[0]}x{size[1]} on {device}, threads: {threads}'.format(**setting)
    wide_console().print(console_table(rows(costs), title=title))
    print(f'Result: {args.out}')


if __name__ == '__main__':
    main()
