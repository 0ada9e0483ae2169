"""Write the config of a new experiment from a folder of images and one of masks.

Examples:
  tools/new_experiment.py --images data/images --masks data/masks --out roads.py \\
      --classes background road car
  tools/new_experiment.py --images data/images --masks data/masks --out roads.py \\
      --classes road=128,64,128 car=0,0,142 void=0,0,0 --teacher torchvision://fcn_resnet50 \\
      --map road= car=car,bus --unlabelled data/more_images
  tools/new_experiment.py --images data/images --masks data/masks --out roads.py \\
      --classes background road car --latency-ms 20 --size 512 512 --device cpu --runtime openvino

Looks at the data, chooses crop, batch, schedule and class weights by the rules in
docs/your_data.md, matches a teacher's classes with yours by name, and writes one config to read and
edit. Without --classes, the names are those in classes.json beside the masks.

With --latency-ms, all students are measured at --size on --device, from an image to its label map,
in PyTorch or another --runtime, and the most accurate one that fits is taken.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch
from mmengine.device import get_device
from mmengine.registry import init_default_scope

from segkd_mm.build_hints import build_hints
from segkd_mm.cli import arguments
from segkd_mm.config import load_config
from segkd_mm.files import written_aside
from segkd_mm.results.tables import console_table, wide_console
from segkd_mm.scaffold import (
    MaskClasses,
    Survey,
    check_student,
    choose_recipe,
    choose_student,
    choose_teacher,
    classes_of,
    config_text,
    match_names,
    measure_students,
    student_rows,
    survey,
)
from segkd_mm.scaffold.config_text import Plan
from segkd_mm.scaffold.fitting_student import NOT_MEASURED, RUNTIMES, TORCH

DEFAULT_STUDENT = 'mnv3s_slim'


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = arguments.parser(__doc__)
    parser.add_argument('--images', required=True, metavar='DIR', help='images, at any depth')
    parser.add_argument(
        '--masks', required=True, metavar='DIR', help='their masks, at the same paths inside it'
    )
    parser.add_argument('--out', required=True, type=Path, metavar='FILE.py', help='new config')
    parser.add_argument(
        '--classes',
        nargs='+',
        default=[],
        metavar='NAME[=VALUE]',
        help='class names in the order of the ids in the masks; or each with its id or its colour '
        '(red,green,blue); void=VALUE counts nowhere',
    )
    parser.add_argument('--unlabelled', metavar='DIR', help='more images, without masks')
    parser.add_argument(
        '--teacher',
        nargs='+',
        default=[],
        metavar='WHAT',
        help='torchvision://MODEL, hf://OWNER/NAME, or a config file (of mmseg or an experiment); '
        'then its checkpoint, if that is elsewhere',
    )
    parser.add_argument(
        '--map',
        nargs='+',
        default=[],
        metavar='CLASS=TEACHER_CLASS',
        help="where names differ: the teacher's class or classes (with commas) that are one of "
        'yours; nothing after = where it knows none',
    )
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        '--student', default=DEFAULT_STUDENT, help='base in configs/_base_/students (default: '
        '%(default)s)'
    )  # fmt: skip
    which.add_argument(
        '--latency-ms',
        type=float,
        metavar='MS',
        help='or the most accurate student that is so fast',
    )
    parser.add_argument(
        '--size', nargs=2, type=arguments.positive, metavar=('H', 'W'),
        help='with --latency-ms: of the image that is measured (default: 512 512)',
    )  # fmt: skip
    parser.add_argument(
        '--runtime', choices=RUNTIMES, help='with --latency-ms: a format of tools/export.py, or '
        f'torch (default: {TORCH})',
    )  # fmt: skip
    arguments.add_device(parser, get_device())
    parser.add_argument(
        '--train-device', metavar='DEVICE', help='where it trains, if that is not --device'
    )
    parser.add_argument(
        '--epochs', type=arguments.positive, metavar='N', help='length (default: by the data)'
    )
    args = parser.parse_args()
    if args.out.suffix != '.py' or args.out.exists():
        parser.error(f'--out {args.out}: expected a new file that ends in .py')
    if len(args.teacher) > 2:
        parser.error(f'--teacher takes WHAT and a checkpoint, not {" ".join(args.teacher)}')
    if args.unlabelled and not args.teacher:
        parser.error('--unlabelled needs a --teacher: without one, only labels can teach')
    if not args.latency_ms and (args.size or args.runtime):
        parser.error('--size and --runtime go with --latency-ms')
    if args.latency_ms is not None and args.latency_ms <= 0:
        parser.error(f'--latency-ms {args.latency_ms:g}: expected more than 0')
    if args.runtime not in (None, TORCH) and args.device != 'cpu':
        parser.error(f'--runtime {args.runtime} is measured on the CPU: add --device cpu')
    return args


@build_hints()
def main() -> None:
    """Run the command line."""
    args = parse_args()
    init_default_scope('mmseg')
    found = survey(args.images, args.masks, args.unlabelled)
    plan = make_plan(args, found, classes_of(args.classes, found))
    report(plan)
    with written_aside(args.out) as aside:
        aside.write_text(config_text(plan))
    load_config(args.out)  # it is a config
    print_next_steps(args.out, plan)


def make_plan(args: argparse.Namespace, found: Survey, classes: MaskClasses) -> Plan:
    """All that the experiment consists of."""
    check_student(args.student)
    device = args.train_device or args.device
    recipe = choose_recipe(found, [*classes.pixels.values()], device, args.epochs)
    student = fitting_student(args, len(classes.names)) if args.latency_ms else args.student
    plan = Plan(args.out.stem, student, found, classes, recipe)
    if not args.teacher:
        return plan
    teacher = choose_teacher(*args.teacher)
    mapping = match_names(classes.names, teacher.classes, pairs(args.map))
    return Plan(plan.name, plan.student, found, classes, recipe, teacher, mapping, args.unlabelled)


def fitting_student(args: argparse.Namespace, num_classes: int) -> str:
    """Measure the students, print the table, and name the most accurate one that fits.

    Raises:
        SystemExit: None fits.
    """
    size, runtime = tuple(args.size or (512, 512)), args.runtime or TORCH
    timed = measure_students(args.latency_ms, size, num_classes, args.device, runtime)
    chosen = choose_student(timed, args.latency_ms)
    rows = student_rows(timed, args.latency_ms, chosen)
    threads = torch.get_num_threads() if runtime == TORCH else 1
    title = f'{size[0]}x{size[1]} on {args.device}, {runtime}, threads: {threads}'
    wide_console().print(console_table(rows, title=title))
    if chosen is None:
        fastest = min(timed, key=lambda one: one.ms)
        raise SystemExit(
            f'Error: no student is as fast as {args.latency_ms:g} ms; the fastest is '
            f'{fastest.name} with {fastest.ms:.1f} ms. Nothing was written. Give a larger '
            '--latency-ms, a smaller --size or another --runtime.'
        )
    if all(row['test mIoU'] == NOT_MEASURED for row in rows if row['fits'] == 'yes'):
        print(f'No student that fits has a measured accuracy: {chosen.name} is the fastest.')
    return chosen.name


def pairs(entries: Sequence[str]) -> dict[str, list[str]]:
    """``CLASS=A,B`` entries as a dict."""
    if wrong := [entry for entry in entries if '=' not in entry]:
        raise ValueError(f'--map has {wrong}, expected CLASS=TEACHER_CLASS.')
    split = (entry.split('=', 1) for entry in entries)
    return {name: [one for one in targets.split(',') if one] for name, targets in split}


def report(plan: Plan) -> None:
    """Print what was found and chosen."""
    found, recipe, total = plan.found, plan.recipe, sum(plan.classes.pixels.values())
    rows = [
        {'id': number, 'class': name, 'share': f'{pixels / total:.1%}'}
        for number, (name, pixels) in enumerate(plan.classes.pixels.items())
    ]
    wide_console().print(console_table(rows, title='Labelled pixels'))
    print(
        f'{found.num_train} training and {found.num_val} validation images'
        f'{f", {found.num_unlabelled} unlabelled" if plan.unlabelled else ""}; '
        f'{plan.classes.void / max(total + plan.classes.void, 1):.1%} of the pixels are void.\n'
        f'Crops of {recipe.crop} from images of {recipe.short_side} (shorter side), batches of '
        f'{recipe.batch_size}, {recipe.epochs} epochs'
        f'{", class weights" if recipe.weighs_classes else ""}.'
    )
    if empty := [name for name, pixels in plan.classes.pixels.items() if not pixels]:
        print(f'Without a pixel in the masks: {", ".join(empty)}. Nothing can learn them.')
    if plan.teacher and plan.mapping is not None:
        own = {name: plan.mapping.get(name, name) for name in plan.classes.names}
        shown = {name: one if isinstance(one, str) else ', '.join(one) for name, one in own.items()}
        rows = [{'class': name, "the teacher's": one or '-'} for name, one in shown.items()]
        wide_console().print(console_table(rows, title='Classes of the teacher'))


def print_next_steps(out: Path, plan: Plan) -> None:
    """Print where the config is and the commands to run."""
    best = f'work_dirs/{plan.name}/best.pth'
    cache = f'  python tools/cache_teacher.py {out}\n' if plan.teacher else ''
    print(
        f'Written: {out}\nNext:\n'
        f'{cache}'
        f'  python tools/doctor.py {out}\n'
        f'  python tools/train.py {out}\n'
        f'  python tools/test.py {out} {best} --pictures work_dirs/{plan.name}/pictures\n'
        f'  python tools/export.py {out} {best} --to onnx'
    )
