"""Write the config of a new experiment from a folder of images and one of masks."""

from argparse import Namespace
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from mmengine.device import get_device
from mmengine.registry import init_default_scope

from segkd_mm.commands import command
from segkd_mm.config import load_config
from segkd_mm.files import written_aside
from segkd_mm.formats import TORCH
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
from segkd_mm.scaffold.fitting_student import NOT_MEASURED

ALL_LABELLED = (
    'All images have masks. In our trainings a pretrained student then gained next to nothing by '
    'its teacher (docs/leaderboard.md): name images without masks by --unlabelled, or train a '
    'second config without --teacher, and compare.'
)


def run(args: Namespace) -> None:
    """Run the command."""
    init_default_scope('mmseg')
    found = survey(args.images, args.masks, args.unlabelled)
    plan = make_plan(args, found, classes_of(args.classes, found))
    report(plan)
    with written_aside(args.out) as aside:
        aside.write_text(config_text(plan), encoding='utf-8')
    load_config(args.out)  # it is a config
    print_next_steps(args.out, plan)


def make_plan(args: Namespace, found: Survey, classes: MaskClasses) -> Plan:
    """All that the experiment consists of."""
    check_student(args.student)
    device = args.train_device or args.device or get_device()
    taught = {}
    if args.teacher:
        teacher = choose_teacher(*args.teacher)
        mapping = match_names(classes.names, teacher.classes, pairs(args.map))
        taught = {'teacher': teacher, 'mapping': mapping, 'unlabelled': args.unlabelled}
    else:  # whose labels alone teach
        found = replace(found, num_unlabelled=0)
    recipe = choose_recipe(found, [*classes.pixels.values()], device, args.epochs)
    # The last, as it may take minutes.
    student = fitting_student(args, len(classes.names)) if args.latency_ms else args.student
    return Plan(args.out.stem, student, found, classes, recipe, **taught)


def fitting_student(args: Namespace, num_classes: int) -> str:
    """Measure the students, print the table, and name the most accurate one that fits.

    Raises:
        ValueError: None fits.
    """
    size, runtime = tuple(args.size or (512, 512)), args.runtime or TORCH
    device = args.device or (get_device() if runtime == TORCH else 'cpu')
    timed = measure_students(args.latency_ms, size, num_classes, device, runtime)
    chosen = choose_student(timed, args.latency_ms)
    rows = student_rows(timed, args.latency_ms, chosen)
    threads = torch.get_num_threads() if runtime == TORCH else 1
    title = f'{size[0]}x{size[1]} on {device}, {runtime}, threads: {threads}'
    wide_console().print(console_table(rows, title=title))
    if chosen is None:
        fastest = min(timed, key=lambda one: one.ms)
        raise ValueError(
            f'No student is as fast as {args.latency_ms:g} ms; the fastest is '
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
    if found.is_mixed and not plan.teacher:
        print('Images without a mask are left out, as there is no --teacher.')
    if empty := [name for name, pixels in plan.classes.pixels.items() if not pixels]:
        print(f'Without a pixel in the masks: {", ".join(empty)}. Nothing can learn them.')
    if plan.teacher and plan.mapping is not None:
        own = {name: plan.mapping.get(name, name) for name in plan.classes.names}
        shown = {name: one if isinstance(one, str) else ', '.join(one) for name, one in own.items()}
        rows = [{'class': name, "the teacher's": one or '-'} for name, one in shown.items()]
        wide_console().print(console_table(rows, title='Classes of the teacher'))


def print_next_steps(out: Path, plan: Plan) -> None:
    """Print where the config is and the commands to run."""
    if plan.teacher and not plan.unlabelled:
        print(ALL_LABELLED)
    best = f'work_dirs/{plan.name}/best.pth'
    cache = f'  {command("cache")} {out}\n' if plan.teacher else ''
    print(
        f'Written: {out}\nNext:\n'
        f'{cache}'
        f'  {command("doctor")} {out}\n'
        f'  {command("train")} {out}\n'
        f'  {command("test")} {out} {best} --pictures work_dirs/{plan.name}/pictures\n'
        f'  {command("export")} {out} {best} --to onnx'
    )
