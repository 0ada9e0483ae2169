"""What distillation costs a training step: time and peak memory beside the plain student's step.

Examples:
  python benchmarks/kd_step.py
  python benchmarks/kd_step.py configs/kd/*_voc.py --size 512 512 --batch 16 --device cuda
  python benchmarks/kd_step.py kd/response_kd_voc.py kd/response_kd_cached_voc.py --naive --amp \
      --size 256 256 --batch 4 --threads 1

All configs must have the same student. Their steps (forward, backward, optimizer), a step of the
plain student, and the teacher's forward alone are measured side by side in one run, turn by turn,
so that a busy machine slows all alike; then the forward and backward of the terms alone, which the
difference of two steps would not tell; on noise, with random weights, which does not matter for
the cost, and with every schedule of weights at its highest. Of a CachedTeacher the cut of its
maps counts, not the reading of the cache, which the workers of the data loader do. Peak memory is
what a step needs above weights and the optimizer's state. `--naive` adds a step without our means:
the teacher in float32 with its batch norms, and terms at the size of the crops. The result file has
the ratios to the plain step in `ratios`, and there the naive step's to the best.
"""

import argparse
import json
from copy import deepcopy
from dataclasses import asdict
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

import torch
from full_size import at_full_size
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmseg.registry import MODELS
from torch import nn

from segkd_mm.cli.arguments import add_cfg_options
from segkd_mm.config import config_dir, load_config, plain_student
from segkd_mm.distill.mixture import tap_weights
from segkd_mm.distill.teacher import Teacher
from segkd_mm.measure.step_cost import (
    TermsStep,
    TrainingStep,
    build_model,
    random_batch,
    step_costs,
)
from segkd_mm.optim import amp_wrapper
from segkd_mm.results.files import write_result
from segkd_mm.results.tables import console_table, wide_console
from segkd_mm.whole_image.cached_teacher import made_from
from segkd_mm.whole_image.packing import FLOAT16, Storage
from segkd_mm.whole_image.store import INDEX, TeacherCache

PLAIN, NAIVE = 'plain student', 'naive'
STRIDE = 8  # of cached maps
TRIAL = 64, 64  # the image by which a teacher's maps are known
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
    parser.add_argument('--naive', action='store_true', help="the first teacher's naive step, too")
    parser.add_argument('--amp', action='store_true',
                        help='each of the configs with tools/train.py --amp, too')  # fmt: skip
    parser.add_argument('--repeats', type=int, default=10, help='timed steps (default: 10)')
    parser.add_argument(
        '--out', default='work_dirs/kd_step.json', metavar='JSON', help='default: %(default)s'
    )
    add_cfg_options(parser)
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
    # Equal teachers share a file.
    teacher = config.model.teacher.get('teacher', config.model.teacher)
    model = teacher.model
    file = folder / f'{abs(hash(json.dumps(model, sort_keys=True, default=str)))}.pth'
    if not file.exists():
        init_default_scope(config.default_scope)
        torch.save(MODELS.build(model).state_dict(), file)
    teacher.checkpoint = str(file)
    if is_cached(config):
        write_cache(config, folder / Path(path).stem)
    return config


def write_cache(config: Config, folder: Path) -> None:
    """Give a config the index of a teacher cache, without images: the batch has its maps."""
    cached = config.model.teacher
    taps, stride = cached_taps(config), cached.get('stride', STRIDE)
    index = {
        'images': {},
        'loader': '',
        'made_from': made_from(cached.teacher, cached.get('view'), stride, taps),
        'taps': {tap: asdict(stored) for tap, stored in taps.items()},
    }
    folder.mkdir()
    (folder / INDEX).write_text(json.dumps(index))
    config.model.teacher.cache = str(folder)


@torch.no_grad()
def cached_taps(config: Config) -> dict[str, Storage]:
    """How the maps of each tap of a cached teacher would be stored."""
    init_default_scope(config.default_scope)
    teacher = MODELS.build(config.model.teacher.teacher)
    stride = config.model.teacher.get('stride', STRIDE)
    terms = config.model.terms.values()
    teacher.prepare({tap for term in terms for tap in tap_weights(term.teacher)}, nn.Identity())
    maps = teacher(torch.zeros(1, 3, *TRIAL))
    return {
        tap: Storage(x.shape[1], FLOAT16, max(stride, TRIAL[1] // x.shape[3]))
        for tap, x in maps.items()
    }


def models_of(configs: dict[str, Config], device: torch.device) -> dict[str, nn.Module]:
    """The plain student and the distillers, by name.

    Raises:
        ValueError: The configs have different students.
    """
    students = {name: plain_student(config) for name, config in configs.items()}
    first, *others = students.values()
    if any(other.model != first.model for other in others):
        raise ValueError(f'{", ".join(configs)} have different students; measure them apart.')
    build = {NAIVE: naive_model}
    return {
        name: build.get(name, build_model)(config, device)
        for name, config in {PLAIN: first, **configs}.items()
    }


def naive_config(configs: dict[str, Config]) -> Config:
    """The first config whose teacher sees the crops, with that in float32.

    Raises:
        ValueError: There is none.
    """
    online = [config for config in configs.values() if is_online(config)]
    if not online:
        raise ValueError(f'--naive: none of {", ".join(configs)} has a teacher of type Teacher.')
    config = deepcopy(online[0])
    config.model.teacher.precision = 'fp32'
    return config


def with_amp(config: Config, device: str) -> Config:
    """A config as ``tools/train.py --amp`` makes it on a device."""
    config = deepcopy(config)
    config.optim_wrapper.type = amp_wrapper(torch.device(device).type)
    return config


def naive_model(config: Config, device: torch.device) -> nn.Module:
    """The model with the teacher's batch norms as they are, and terms at the size of the crops."""
    with patch(f'{Teacher.__module__}.fused', lambda model, look: model):
        model = build_model(config, device)
    for term in model.terms.values():
        term.register_forward_pre_hook(at_full_size)
    return model


def is_online(config: Config) -> bool:
    """Whether the teacher of a config is run on the crops."""
    return config.model.teacher.type == 'Teacher'


def is_cached(config: Config) -> bool:
    """Whether the teacher of a config was run before the training."""
    return config.model.teacher.type == 'CachedTeacher'


def measure(configs: dict[str, Config], args: argparse.Namespace) -> dict[str, dict[str, float]]:
    """Costs of the steps and of the teacher's forward by name, and for distillers of the terms."""
    device, first = torch.device(args.device), next(iter(configs.values()))
    models = models_of(configs, device)
    taps = {}
    for config in filter(is_cached, configs.values()):
        taps |= TeacherCache(config.model.teacher.cache).taps
    batch = random_batch(args.batch, tuple(args.size), first.num_classes, taps)
    steps = {n: TrainingStep(m, configs.get(n, first), batch) for n, m in models.items()}
    images = torch.randn(args.batch, 3, *args.size, device=device)
    run = [name for name, config in configs.items() if is_online(config)]
    if run:
        steps[TEACHER] = partial(models[run[0]].teacher, images)
    costs = step_costs(steps, device, args.repeats)
    terms = {name: TermsStep(models[name], batch) for name in configs}
    for name, cost in step_costs(terms, device, 4 * args.repeats).items():
        costs[name]['terms_ms'] = cost['ms']
    return costs


def rows(costs: dict[str, dict[str, float]]) -> list[dict]:
    """The table, by the time of the terms."""
    plain = costs[PLAIN]
    return [
        {
            'step': name,
            'ms': cost['ms'],
            'x plain': cost['ms'] / plain['ms'],
            'ms of the terms alone': cost.get('terms_ms'),
            'peak MiB': cost['peak_mib'],
            **({'MiB more': cost['peak_mib'] - plain['peak_mib']} if 'terms_ms' in cost else {}),
        }
        for name, cost in sorted(costs.items(), key=lambda item: item[1].get('terms_ms', 0))
    ]


def main() -> None:
    """Run the command line."""
    args = parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    with TemporaryDirectory() as folder:
        configs = {Path(path).stem: load(path, args, Path(folder)) for path in args.configs}
        more = {NAIVE: naive_config(configs)} if args.naive else {}
        if args.amp:
            more |= {f'{n}, --amp': with_amp(c, args.device) for n, c in configs.items()}
        configs |= more
        costs = measure(configs, args)
    setting = {
        'size': list(args.size),
        'batch': args.batch,
        'device': args.device,
        'threads': torch.get_num_threads(),
    }
    ratios = {name: cost['ms'] / costs[PLAIN]['ms'] for name, cost in costs.items()}
    if args.naive:
        ratios['naive to best'] = ratios[NAIVE] / min(ratios[name] for name in configs)
    write_result(args.out, {**setting, 'ratios': ratios, 'steps': costs, 'table': rows(costs)})
    title = '{batch} x {size[0]}x{size[1]} on {device}, threads: {threads}'.format(**setting)
    wide_console().print(console_table(rows(costs), title=title))
    print(f'Result: {args.out}')


if __name__ == '__main__':
    main()
