"""Write the config of a new experiment from a folder of images and one of masks."""

from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

from mmengine.device import get_device
from mmengine.registry import init_default_scope

from segkd_mm.commands import command
from segkd_mm.config import load_config
from segkd_mm.files import written_aside
from segkd_mm.results.tables import console_table, wide_console
from segkd_mm.scaffold import (
    MaskClasses,
    Survey,
    check_student,
    choose_recipe,
    choose_teacher,
    classes_of,
    config_text,
    match_names,
    survey,
)
from segkd_mm.scaffold.config_text import Plan

DEFAULT_STUDENT = 'mnv3s_slim'


def run(args: Namespace) -> None:
    """Run the command."""
    init_default_scope('mmseg')
    found = survey(args.images, args.masks, args.unlabelled)
    plan = make_plan(args, found, classes_of(args.classes, found))
    report(plan)
    with written_aside(args.out) as aside:
        aside.write_text(config_text(plan))
    load_config(args.out)  # it is a config
    print_next_steps(args.out, plan)


def make_plan(args: Namespace, found: Survey, classes: MaskClasses) -> Plan:
    """All that the experiment consists of."""
    check_student(args.student)
    recipe = choose_recipe(found, [*classes.pixels.values()], get_device(), args.epochs)
    plan = Plan(args.out.stem, args.student, found, classes, recipe)
    if not args.teacher:
        return plan
    teacher = choose_teacher(*args.teacher)
    mapping = match_names(classes.names, teacher.classes, pairs(args.map))
    return Plan(plan.name, plan.student, found, classes, recipe, teacher, mapping, args.unlabelled)


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
    if plan.teacher and plan.mapping is not None:
        own = {name: plan.mapping.get(name, name) for name in plan.classes.names}
        shown = {name: one if isinstance(one, str) else ', '.join(one) for name, one in own.items()}
        rows = [{'class': name, "the teacher's": one or '-'} for name, one in shown.items()]
        wide_console().print(console_table(rows, title='Classes of the teacher'))


def print_next_steps(out: Path, plan: Plan) -> None:
    """Print where the config is and the commands to run."""
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
