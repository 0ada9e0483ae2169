"""Text of the config file of a new experiment."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import inf
from typing import Any

from segkd_mm.config_source import WIDTH, to_source
from segkd_mm.scaffold.mask_classes import MaskClasses
from segkd_mm.scaffold.recipe import Recipe
from segkd_mm.scaffold.students import has_own_normalisation
from segkd_mm.scaffold.survey import SHARES, Survey
from segkd_mm.scaffold.teachers import TeacherChoice, list_name

INDENT = ' ' * 4


@dataclass(frozen=True)
class Plan:
    """All that a new experiment consists of.

    Attributes:
        name: Of its file and its work directory.
        student: Name of a base of students, such as ``mnv3s_slim``.
        found: Survey of its data.
        classes: Its classes.
        recipe: How it trains.
        teacher: Its teacher, if it has one.
        mapping: Argument of ``ClassMap``.
        unlabelled: Folder of images without masks.
    """

    name: str
    student: str
    found: Survey
    classes: MaskClasses
    recipe: Recipe
    teacher: TeacherChoice | None = None
    mapping: dict[str, list[str]] | None = None
    unlabelled: str | None = None

    @property
    def cache(self) -> str:
        """Folder of the teacher's cache."""
        return f'work_dirs/{self.name}/teacher_cache'


def config_text(plan: Plan) -> str:
    """The text of the config file of a plan."""
    model = _distiller(plan) if plan.teacher else ['model = _base_.student']
    lines = [*_header(plan), *_data(plan), *_student(plan), *model, *_schedule(plan)]
    return '\n'.join(lines) + '\n'


def _header(plan: Plan) -> Iterator[str]:
    found = plan.found
    yield f'"""{plan.name}: {found.num_train} training and {found.num_val} validation images.'
    yield ''
    yield 'Written by tools/new_experiment.py; its rules are in docs/your_data.md.'
    yield '"""'
    yield ''
    yield '_base_ = ['
    bases = f'students/{plan.student}', 'datasets/common', 'schedules/adamw_poly_20e', 'runtime'
    yield from (f"    'segkd_mm::_base_/{base}.py'," for base in bases)
    yield ']'


def _data(plan: Plan) -> Iterator[str]:
    found, recipe = plan.found, plan.recipe
    shares = {} if found.by_folders else {'shares': SHARES, 'seed': found.seed}
    folders = {'type': 'FolderDataset', 'images': found.images, 'masks': found.masks}
    yield from _call('data', folders, {'classes': plan.classes.names}, plan.classes.options, shares)
    side = recipe.short_side
    scale, crop = (4 * side, side), (recipe.crop, recipe.crop)
    sizes = {'scale': scale, 'ratio_range': (0.5, 2.0), 'crop_size': crop, 'cat_max_ratio': 0.75}
    yield f'crop = {to_source(sizes, len("crop = "))}'
    yield from (
        'train_pipeline = [',
        '    *_base_.load_seeded,',
        "    dict(type='RandomResizeCropFlip', **crop),",
        '    *_base_.distort_and_pack,',
        ']',
    )
    if recipe.resizes_tests:
        yield f"resize = dict(type='Resize', scale={scale}, keep_ratio=True)"
        yield 'load, annotate, pack = _base_.test_pipeline'
        yield '_base_.test_pipeline = [load, resize, annotate, pack]'
    yield from _loaders(plan)


def _loaders(plan: Plan) -> Iterator[str]:
    size, mixed = plan.recipe.batch_size, plan.found.is_mixed
    train, val = ("missing_masks='unlabelled', ", "missing_masks='skip', ") if mixed else ('', '')
    yield f"train_set = dict(split='train', {train}pipeline=train_pipeline, **data)"
    if plan.unlabelled and not mixed:
        parts = f'labelled=train_set, images={plan.unlabelled!r}'
        yield f"train_set = dict(type='WithUnlabelled', {parts})"
    if plan.teacher:
        yield f'cache = {plan.cache!r}'
        yield "train_set = dict(type='WithTeacherCache', cache=cache, dataset=train_set)"
    yield f'train_dataloader = dict(batch_size={size}, dataset=train_set)'
    if plan.unlabelled:
        batch = {'batch_size': size, 'labelled_per_batch': plan.recipe.labelled_per_batch}
        yield from _call("train_dataloader['sampler']", {'type': 'FewLabelsEpochSampler', **batch})
    yield f"val_set = dict(split='val', {val}pipeline=_base_.test_pipeline, **data)"
    yield 'val_dataloader = test_dataloader = dict(dataset=val_set)'


def _student(plan: Plan) -> Iterator[str]:
    yield "_base_.preprocessor.size = crop['crop_size']"
    if has_own_normalisation(plan.student):
        yield '_base_.preprocessor.update(_base_.normalisation)'
    yield '_base_.student.data_preprocessor = _base_.preprocessor'
    yield "_base_.student.backbone.weights = 'hub'  # ImageNet's; a file, or None for none"
    yield "_base_.student.decode_head.num_classes = len(data['classes'])"
    yield "_base_.student.decode_head.loss_decode = dict(type='LabelledCrossEntropyLoss')"
    if plan.recipe.weighs_classes:
        yield "custom_hooks = [*_base_.custom_hooks, dict(type='ClassWeightHook')]"


def _distiller(plan: Plan) -> Iterator[str]:
    teacher = plan.teacher
    model = {'model': teacher.model}
    yield from _call('teacher', {'type': 'Teacher'}, model, {'checkpoint': teacher.checkpoint})
    yield 'view = dict(flip=True)  # whole images and their mirror'
    yield "cached = dict(type='CachedTeacher', cache=cache, view=view, teacher=teacher)"
    taps = {'student': 'decode_head.conv_seg', 'teacher': teacher.tap}
    loss = {'loss': {'type': 'PixelKLLoss', 'temperature': 1.0, 'loss_weight': 1.0}}
    yield from _call('logits', taps, loss)
    if plan.classes.names != teacher.classes:
        names = list_name(teacher.classes) or teacher.classes
        own = {'student': plan.classes.names}
        theirs = {'teacher': names, 'drop': '*'}
        mapping = {'mapping': plan.mapping} if plan.mapping else {}
        yield from _call("logits['classes']", own, theirs, mapping)
    yield 'terms = dict(logits=logits)'
    yield "model = dict(type='SegDistiller', student=_base_.student, teacher=cached, terms=terms)"


def _schedule(plan: Plan) -> Iterator[str]:
    yield f'max_epochs = {plan.recipe.epochs}'
    yield f'train_cfg = dict(max_epochs=max_epochs, val_interval={plan.recipe.val_interval})'
    yield 'param_scheduler = dict(end=max_epochs)'


def _call(name: str, *rows: dict[str, Any]) -> Iterator[str]:
    """``name = dict(...)``: a line for each row, or for each item of one that is too long."""
    yield f'{name} = dict('
    for row in filter(None, rows):
        line = ', '.join(f'{key}={to_source(value, -inf)}' for key, value in row.items())
        if len(line) + len(INDENT) < WIDTH:
            yield f'{INDENT}{line},'
        else:
            yield from (
                f'{INDENT}{key}={to_source(value, len(INDENT) + len(key) + 1, depth=1)},'
                for key, value in row.items()
            )
    yield ')'
