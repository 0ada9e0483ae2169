"""Text of the config file of a new experiment."""

from collections.abc import Iterator
from dataclasses import dataclass

from segkd_mm.config_source import Source, Table, call_lines, to_source
from segkd_mm.datasets.folder_source import folder_lines
from segkd_mm.scaffold.mask_classes import MaskClasses
from segkd_mm.scaffold.recipe import Recipe
from segkd_mm.scaffold.students import has_own_normalisation
from segkd_mm.scaffold.survey import Survey
from segkd_mm.scaffold.teachers import TeacherChoice, list_name


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
    experiment = 'recommended/few_labels' if plan.teacher else 'folder_experiment'
    found, bases = plan.found, (f'students/{plan.student}', experiment)
    count = f'{found.num_train} training and {found.num_val} validation images'
    yield f'"""An experiment on {count}, by the rules in docs/your_data.md."""'
    yield ''
    files = [f'segkd_mm::_base_/{base}.py' for base in bases]
    yield f'_base_ = {to_source(files, len("_base_ = "))}'


def _data(plan: Plan) -> Iterator[str]:
    found, recipe = plan.found, plan.recipe
    seed = None if found.by_folders else found.seed
    yield from folder_lines(
        found.images, found.masks, plan.classes.names, plan.classes.options, seed
    )
    side = recipe.short_side
    scale, crop = (4 * side, side), (recipe.crop, recipe.crop)
    sizes = f'scale={scale}, ratio_range=(0.5, 2.0), crop_size={crop}'
    yield f'crop = dict(_base_.crop, {sizes})'
    yield 'train_pipeline = [*_base_.load_seeded, crop, *_base_.distort_and_pack]'
    if recipe.resizes_tests:
        resize = f"dict(type='Resize', scale={scale}, keep_ratio=True)"
        yield f'_base_.test_pipeline.insert(1, {resize})'
    yield from _loaders(plan)


def _loaders(plan: Plan) -> Iterator[str]:
    size, mixed = plan.recipe.batch_size, plan.found.is_mixed
    skip = "missing_masks='skip', " if mixed else ''
    train = "missing_masks='unlabelled', " if mixed and plan.teacher else skip
    yield f"train_set = dict(split='train', {train}pipeline=train_pipeline, **data)"
    if plan.unlabelled and not mixed:
        parts = {'labelled': Source('train_set'), 'images': plan.unlabelled}
        yield from call_lines('train_set', {'type': 'WithUnlabelled'}, parts)
    if plan.teacher:
        yield f'cache = {plan.cache!r}'
        yield "train_set = dict(type='WithTeacherCache', cache=cache, dataset=train_set)"
    if plan.unlabelled:
        batch = {'batch_size': size, 'labelled_per_batch': plan.recipe.labelled_per_batch}
        yield from call_lines('sampler', {'type': 'FewLabelsEpochSampler'}, batch)
    sampler = 'sampler=sampler, ' if plan.unlabelled else ''
    yield f'train_dataloader = dict(batch_size={size}, {sampler}dataset=train_set)'
    yield f"val_set = dict(split='val', {skip}pipeline=_base_.test_pipeline, **data)"
    yield 'val_dataloader = test_dataloader = dict(dataset=val_set)'


def _student(plan: Plan) -> Iterator[str]:
    if has_own_normalisation(plan.student):
        yield '_base_.preprocessor.update(_base_.normalisation)'
    sized = "dict(_base_.preprocessor, size=crop['crop_size'])"
    yield f'_base_.student.data_preprocessor = {sized}'
    yield "_base_.student.backbone.weights = 'hub'  # ImageNet's; a file, or None for none"
    yield "_base_.student.decode_head.num_classes = len(data['classes'])"
    yield "_base_.student.decode_head.loss_decode = dict(type='LabelledCrossEntropyLoss')"
    if plan.recipe.weighs_classes:
        yield "custom_hooks = [*_base_.custom_hooks, dict(type='ClassWeightHook')]"


def _distiller(plan: Plan) -> Iterator[str]:
    yield from _teacher(plan.teacher)
    yield "cached = dict(type='CachedTeacher', cache=cache, view=_base_.view, teacher=teacher)"
    has_map = plan.classes.names != plan.teacher.classes
    if has_map:
        yield from _class_map(plan)
    mapped = ', classes=class_map' if has_map else ''
    yield f'kl = dict(_base_.kl, teacher={plan.teacher.tap!r}{mapped})'
    parts = 'student=_base_.student, teacher=cached, terms=dict(kl=kl)'
    yield f"model = dict(type='SegDistiller', {parts})"


def _teacher(teacher: TeacherChoice) -> Iterator[str]:
    model = teacher.model
    if isinstance(model, dict):
        yield from call_lines('teacher_model', model)
        model = Source('teacher_model')
    source = {'type': 'Teacher', 'model': model}
    yield from call_lines('teacher', source, {'checkpoint': teacher.checkpoint})


def _class_map(plan: Plan) -> Iterator[str]:
    """Which classes of the teacher are which of the student."""
    names = list_name(plan.teacher.classes) or plan.teacher.classes
    both = {'student': Source("data['classes']"), 'teacher': names, 'drop': '*'}
    mapping = {}
    if plan.mapping:
        yield f'mapping = {to_source(Table(plan.mapping), len("mapping = "))}'
        mapping = {'mapping': Source('mapping')}
    yield from call_lines('class_map', {**both, **mapping})


def _schedule(plan: Plan) -> Iterator[str]:
    yield f'max_epochs = {plan.recipe.epochs}'
    yield f'train_cfg = dict(max_epochs=max_epochs, val_interval={plan.recipe.val_interval})'
    yield 'param_scheduler = dict(end=max_epochs)'
