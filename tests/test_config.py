import ast
import inspect
import re
import runpy
import sys
from copy import deepcopy
from functools import cache
from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.runner import Runner

from segkd_mm.config import (
    RUNNER_KEYS,
    config_dir,
    inference_config,
    list_configs,
    load_config,
    plain_student,
)

ROOT = Path(__file__).parents[1] / 'configs'
FOLDERS = (
    'student', 'teacher', 'kd', 'leaderboard', 'few_labels', 'full_labels', 'pretrain', 'race',
)  # fmt: skip
EXPERIMENTS = sorted(
    path.relative_to(ROOT).as_posix() for folder in FOLDERS for path in (ROOT / folder).glob('*.py')
)
DISTILLED = [name for name in EXPERIMENTS if name.startswith('kd/')]
# As the names of experiments have them: cityscapes_half is short of its half there.
DATASETS = sorted(
    path.stem.removesuffix('_half') for path in (ROOT / '_base_' / 'datasets').glob('*.py')
)
LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')
SLIM = 'student/mnv3s_slim_voc.py'
# Loaded once; a test that changes a config loads its own.
loaded = cache(load_config)


def run_module(monkeypatch, *args):
    """``python -m segkd_mm``, in this process."""
    monkeypatch.setattr(sys, 'argv', ['segkd_mm', *args])
    with pytest.raises(SystemExit) as done:
        runpy.run_module('segkd_mm', run_name='__main__')
    if done.value.code:
        raise done.value


def data_sets(config):
    """All data sets of a config that have masks, those inside a ConcatDataset one by one."""
    outer = [config[loader].dataset for loader in LOADERS]
    outer = [one.get('labelled') or one.get('dataset') or one for one in outer]
    return [inner for one in outer for inner in one.get('datasets', [one])]


def test_the_list_holds_every_experiment_and_no_part():
    assert config_dir() == ROOT
    assert list_configs() == sorted(EXPERIMENTS)
    assert 'kd/feature_kd_voc.py' in EXPERIMENTS


def test_every_part_loads_by_itself_and_defines_no_model():
    parts = sorted((ROOT / '_base_').rglob('*.py'))
    assert [path for path in parts if 'model' in Config.fromfile(path)] == []


@pytest.mark.slow
def test_every_experiment_has_all_that_a_run_needs():
    wanted = ['model', *LOADERS, 'val_evaluator', 'test_evaluator', 'optim_wrapper', 'train_cfg',
              'val_cfg', 'test_cfg', 'default_scope', 'custom_imports', 'randomness']  # fmt: skip
    for name in EXPERIMENTS:
        assert [key for key in wanted if key not in loaded(name)] == [], name
        assert loaded(name).custom_imports.imports == ['segkd_mm'], name


def test_imports_of_the_user_may_be_one_name():
    config = load_config(SLIM)
    config.custom_imports = dict(imports='my_ops')
    assert inference_config(config).custom_imports.imports == ['segkd_mm', 'my_ops']


def bases(path: Path) -> list[Path]:
    """The files that a config names as its bases."""
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Assign) and node.targets[0].id == '_base_':
            names = ast.literal_eval(node.value)
            return [path.parent / name for name in ([names] if isinstance(names, str) else names)]
    return []


def levels(path: Path) -> int:
    return 1 + max(map(levels, bases(path)), default=0)


def test_no_experiment_is_more_than_three_levels_deep_or_inherits_from_another():
    assert {name: levels(ROOT / name) for name in EXPERIMENTS if levels(ROOT / name) > 3} == {}
    named = {base.resolve().relative_to(ROOT).parts[0] for name in EXPERIMENTS
             for base in bases(ROOT / name)}  # fmt: skip
    assert named == {'_base_'}


def lines_of_code(name: str) -> int:
    """Lines without the docstring and empty ones."""
    return sum(1 for line in (ROOT / name).read_text().split('"""')[2].splitlines() if line)


def test_every_experiment_can_be_read_at_a_glance():
    # Several parts in one experiment.
    long = ('leaderboard/', 'few_labels/', 'full_labels/', 'race/')
    limits = {name: 42 if name.startswith(long) else 25 for name in EXPERIMENTS}
    assert [name for name in EXPERIMENTS if lines_of_code(name) > limits[name]] == []


def test_every_distillation_has_a_student_a_teacher_and_terms():
    for name in DISTILLED:
        model = loaded(name).model
        assert set(model) == {'type', 'student', 'teacher', 'terms'}, name
        assert model.type == 'SegDistiller'
        assert innermost(model.teacher).checkpoint, name
        for term in model.terms.values():
            assert set(term) <= {'student', 'teacher', 'adapter', 'loss', 'classes', 'schedule'}
            assert term.student and term.teacher and term.loss.loss_weight > 0, name


def innermost(teacher):
    """The teacher itself, without what shows it whole images."""
    return teacher.get('teacher', teacher)


def plain_of(name: str) -> str:
    """The plain student's config of a distillation: METHOD[_STUDENT[_TEACHER]]_DATA.py."""
    stem = name.removesuffix('.py').removeprefix('kd/')
    dataset = next(data for data in DATASETS if stem.endswith(f'_{data}'))
    students = {'_mnv3l_': 'mnv3l_fcn', '_psp_r18_': 'psp_r18'}
    student = next((full for short, full in students.items() if short in stem), 'mnv3s_slim')
    return f'student/{student}_{dataset}.py'


def test_the_plain_student_of_a_distillation_is_that_of_its_own_config():
    for name in DISTILLED:
        config = loaded(name)
        student = plain_student(config)
        expected = deepcopy(loaded(plain_of(name)).model)
        if 'response_kd_mnv3l' in name:  # half of the loss is the teacher's
            expected.decode_head.loss_decode.loss_weight = 0.5
        assert student.model == expected, name
        assert without_model(student) == without_model(config), name
        assert config.model.type == 'SegDistiller'  # which is left as it was


def without_model(config):
    return {key: value for key, value in config.items() if key != 'model'}


def test_a_distillation_is_trained_as_its_plain_student():
    for name in DISTILLED:
        config, plain = loaded(name), loaded(plain_of(name))
        for key in ('optim_wrapper', 'param_scheduler', 'train_cfg', 'custom_hooks',
                    'val_dataloader', 'test_dataloader'):  # fmt: skip
            assert config[key] == plain[key], (name, key)
        data = config.train_dataloader.dataset
        data = data.get('dataset') or data.get('labelled') or data
        assert data == plain.train_dataloader.dataset, name


def test_every_method_has_an_experiment_on_camvid_with_its_terms_and_weights():
    for path in sorted((ROOT / '_base_' / 'terms').glob('*.py')):
        kind = '_kd' if path.stem in ('response', 'feature') else ''
        terms = Config.fromfile(path).terms.to_dict()
        for term in terms.values():
            if 'num_classes' in term['loss']:
                term['loss']['num_classes'] = 11
            if path.stem == 'afdcd':  # the authors' weights on CamVid, not those on VOC
                term['loss'].update(pool=1, reconstruction=32.0, contrast=0.32)
        assert loaded(f'kd/{path.stem}{kind}_camvid.py').model.terms == terms, path.stem


def test_all_on_a_leaderboard_train_one_student_by_one_recipe():
    for name in (name for name in EXPERIMENTS if name.startswith('leaderboard/')):
        student, data = re.fullmatch(r'leaderboard/([a-z0-9]+)_\w+?_([a-z]+)\.py', name).groups()
        config = plain_student(loaded(name))
        plain = loaded(f'leaderboard/{student}_plain_{data}.py')
        for key in ('optim_wrapper', 'param_scheduler', 'train_cfg', 'custom_hooks',
                    'default_hooks', 'test_dataloader'):  # fmt: skip
            assert config[key] == plain[key], (name, key)
        dataset = config.train_dataloader.dataset
        assert dataset.get('dataset', dataset) == plain.train_dataloader.dataset, name
        model = deepcopy(plain.model)
        model.backbone.weights = config.model.backbone.get('weights')  # of a two-stage recipe
        config.model.backbone.setdefault('weights', None)
        assert config.model == model, name


@pytest.mark.parametrize('small', ['camvid_small', 'msrc_v2_small', 'voc_7_small'])
def test_a_small_data_set_has_the_images_of_the_full_one(small):
    parts = ROOT / '_base_' / 'datasets'
    ours = Config.fromfile(parts / f'{small}.py')
    full = Config.fromfile(parts / f'{small.removesuffix("_7_small").removesuffix("_small")}.py')
    for loader in LOADERS:
        dataset = dict(ours[loader].dataset)
        assert set(dataset.pop('metainfo', {})) <= {'classes'}
        if loader == 'train_dataloader':
            dataset['pipeline'] = full[loader].dataset.pipeline
        assert dataset == full[loader].dataset.to_dict()


def test_a_loss_that_counts_classes_counts_those_of_the_data():
    for name in DISTILLED:
        stated = [term.loss.num_classes for term in loaded(name).model.terms.values()
                  if 'num_classes' in term.loss]  # fmt: skip
        assert set(stated) <= {loaded(name).num_classes}, name


def classes_of(model) -> set[int]:
    """The numbers of classes of a model's heads."""
    heads = model.get('decode_head') or model
    auxiliary = model.get('auxiliary_head') or []
    parts = [one if isinstance(one, list) else [one] for one in (heads, auxiliary)]
    return {head.num_classes for part in parts for head in part}


def test_every_model_has_as_many_classes_as_its_data():
    for name in EXPERIMENTS:
        model, wanted = loaded(name).model, {loaded(name).num_classes}
        assert classes_of(model.get('student', model)) == wanted, name
        # A bare backbone knows no classes.
        if name in DISTILLED and innermost(model.teacher).model.type != 'TimmFeatures':
            assert classes_of(innermost(model.teacher).model) == wanted, name


def test_a_plain_config_is_its_own_plain_student():
    for name in (name for name in EXPERIMENTS if name.startswith(('student/', 'teacher/'))):
        student = plain_student(loaded(name))
        assert student is not loaded(name)
        assert student.to_dict() == loaded(name).to_dict()
        assert student.filename == loaded(name).filename


@pytest.mark.parametrize(
    ('name', 'count'),
    [
        ('student/mnv3s_slim_voc.py', 3),
        ('student/mnv3s_slim_voc_aug.py', 4),  # training concatenates two
        ('student/mnv3s_slim_camvid.py', 3),
        ('student/mnv3s_slim_msrc_v2.py', 3),
        ('student/mnv3s_slim_shapes.py', 3),
        ('kd/feature_kd_voc.py', 3),
    ],
)
def test_data_root_reaches_every_data_set(name, count):
    config = load_config(name, {'data_root': '/elsewhere'})
    assert config.data_root == '/elsewhere'
    assert [one.data_root for one in data_sets(config)] == count * ['/elsewhere']
    before = loaded(name)
    assert [one.data_root for one in data_sets(before)] == count * [before.data_root]


@pytest.mark.parametrize('data_root', [{}, {'data_root': '/elsewhere'}])
@pytest.mark.parametrize(
    ('name', 'count'), [('kd/feature_kd_voc.py', 3), ('student/mnv3s_slim_voc_aug.py', 4)]
)
def test_download_reaches_every_data_set_as_data_root_does(name, count, data_root):
    config = load_config(name, {'download': True, **data_root})
    assert config.download is True
    assert [one.get('download') for one in data_sets(config)] == count * [True]
    assert {one.data_root for one in data_sets(config)} == {config.data_root}
    assert [one.get('download') for one in data_sets(loaded(name))] == count * [None]


def test_data_that_cannot_be_downloaded_are_an_error_that_names_those_that_can():
    files = 'voc.py, voc_7_1_8.py, voc_7_small.py, voc_aug.py'
    with pytest.raises(ValueError, match=f'slim_camvid.py: its data cannot.* {files}'):
        load_config('student/mnv3s_slim_camvid.py', {'download': True})


def test_a_data_set_with_a_root_of_its_own_keeps_it(tmp_path):
    path = tmp_path / 'two_roots.py'
    path.write_text(
        f"_base_ = '{ROOT}/student/mnv3s_slim_voc.py'\n"
        "test_dataloader = dict(dataset=dict(data_root='/its/own'))\n"
    )
    config = load_config(path, {'data_root': '/elsewhere', 'download': True})
    assert [one.data_root for one in data_sets(config)] == 2 * ['/elsewhere'] + ['/its/own']
    assert [one.get('download') for one in data_sets(config)] == [True, True, None]


def test_options_go_by_dotted_key_and_are_left_as_they_were():
    options = {
        'optim_wrapper.optimizer.lr': 0.5,
        'model.decode_head.channels': 64,
        'data_root': '/elsewhere',
        'train_dataloader.dataset.data_root': '/further',
    }
    given = dict(options)
    config = load_config('student/mnv3s_slim_voc.py', options)
    assert (config.optim_wrapper.optimizer.lr, config.model.decode_head.channels) == (0.5, 64)
    assert [one.data_root for one in data_sets(config)] == ['/further'] + 2 * ['/elsewhere']
    assert options == given


def test_the_top_level_keys_that_any_config_takes_are_the_runner_s():
    known = set(inspect.signature(Runner.__init__).parameters) - {'self', 'cfg'}
    assert known | {'model_wrapper_cfg', 'sync_bn'} == set(RUNNER_KEYS)


@pytest.mark.parametrize(
    ('key', 'close'),
    [
        ('optim_wraper.optimizer.lr', 'optim_wrapper.optimizer.lr'),
        ('optim_wrapper.optimizer.lrr', 'optim_wrapper.optimizer.lr'),
        ('default_hooks.checkpoint.max_keep_ckpt', 'default_hooks.checkpoint.max_keep_ckpts'),
        ('train_cfg.max_epoch', 'train_cfg.max_epochs'),
        ('train_dataloader.batchsize', 'train_dataloader.batch_size'),
        ('visualizer.vis_backends.1.type', 'visualizer.vis_backends.0.type'),
        ('data_roots', 'data_root'),
        ('data_root.voc', 'data_root'),
    ],
)
def test_an_option_whose_key_exists_nowhere_is_an_error_that_names_the_nearest(key, close):
    with pytest.raises(ValueError) as error:
        load_config(SLIM, {key: 1})
    message = str(error.value)
    assert f"no key {key} (did you mean '{close}'?)" in message
    assert f'--cfg-options +{key}=' in message


def test_a_key_like_no_other_is_an_error_without_a_guess():
    with pytest.raises(ValueError, match=r'has no key zzz\. If you mean'):
        load_config(SLIM, {'zzz': 1})


@pytest.mark.parametrize(
    ('key', 'instead'),
    [
        ('max_epochs', r'such as train_cfg\.max_epochs\. --epochs N sets'),
        ('num_classes', r'such as model\.decode_head\.num_classes\.$'),
        ('student.decode_head.channels', r'such as model\.decode_head\.channels'),
        ('preprocessor.pad', r'slim_camvid_20e.*changes? nothing'),
    ],
)
def test_an_option_for_a_variable_of_the_file_alone_is_an_error(key, instead, tmp_path):
    path = tmp_path / 'slim_camvid_20e.py'
    path.write_text(f"_base_ = '{ROOT}/kd/response_kd_camvid.py'\n")
    name = 'leaderboard/slim_plain_camvid.py' if 'pad' not in key else path
    with pytest.raises(ValueError, match=instead):
        load_config(name, {key: 1})


def test_a_plus_adds_a_key_that_the_config_does_not_have():
    config = load_config(SLIM, {'+default_hooks.ema.type': 'EMAHook', '+zzz': 1, '+log_level': 2})
    assert (config.default_hooks.ema.type, config.zzz, config.log_level) == ('EMAHook', 1, 2)


@pytest.mark.parametrize(
    'key',
    [
        'optim_wrapper.accumulative_counts',  # an argument of a class
        'optim_wrapper.clip_grad.max_norm',
        'model.teacher.view.flip',
        'train_dataloader.pin_memory',  # an argument of a call
        'randomness.deterministic',
        'work_dir',  # of the Runner
        'auto_scale_lr.enable',
    ],
)
def test_new_arguments_and_the_keys_of_the_runner_need_no_plus(key):
    node = load_config('kd/response_kd_cached_voc.py', {key: 1})
    for part in key.split('.'):
        node = node[part]
    assert node == 1


def test_options_reach_into_lists_and_replace_whole_dicts():
    config = load_config('student/mnv3s_slim_camvid.py', {
        'visualizer.vis_backends.0.type': 'TensorboardVisBackend',
        'train_dataloader.dataset.pipeline.3.scale': (240, 180),
        'optim_wrapper.optimizer._delete_': True,
        'optim_wrapper.optimizer.type': 'SGD',
        'custom_hooks': [],
    })  # fmt: skip
    assert config.visualizer.vis_backends == [{'type': 'TensorboardVisBackend'}]
    assert config.train_dataloader.dataset.pipeline[3].scale == (240, 180)
    assert config.optim_wrapper.optimizer == {'type': 'SGD'}
    assert config.custom_hooks == []


@pytest.mark.parametrize(
    'path', ['kd/feature_kd_voc.py', 'configs/kd/feature_kd_voc.py', ROOT / 'kd/feature_kd_voc.py']
)
def test_a_packaged_config_is_found_from_any_folder(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert Path(load_config(path).filename) == ROOT / 'kd/feature_kd_voc.py'


def test_a_file_here_comes_before_a_packaged_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'kd').mkdir()
    (tmp_path / 'kd' / 'feature_kd_voc.py').write_text('mine = 1')
    assert load_config('kd/feature_kd_voc.py').mine == 1


@pytest.mark.parametrize(
    ('path', 'close'),
    [
        ('kd/feature_kd_vox.py', 'kd/feature_kd_voc.py'),
        ('kd/response_kd_camvid', 'kd/response_kd_camvid.py'),
        ('configs/student/mnv3_slim_voc.py', 'student/mnv3s_slim_voc.py'),
    ],
)
def test_an_unknown_config_is_an_error_with_close_ones_first(path, close):
    with pytest.raises(
        FileNotFoundError, match=rf'No config {path} \(did you mean .{close}'
    ) as error:
        load_config(path)
    assert 'python -m segkd_mm configs' in str(error.value)


def test_a_config_like_no_other_is_an_error_without_a_guess():
    with pytest.raises(FileNotFoundError, match='No config zzz') as error:
        load_config('zzz')
    assert 'Close' not in str(error.value)


def test_the_command_lists_the_configs(monkeypatch, capsys):
    run_module(monkeypatch, 'configs')
    assert capsys.readouterr().out.splitlines() == EXPERIMENTS


def test_the_command_copies_configs_that_work_on_their_own(monkeypatch, capsys, tmp_path):
    copy = tmp_path / 'new' / 'configs'
    run_module(monkeypatch, 'configs', '--copy', str(copy))
    assert str(copy) in capsys.readouterr().out
    names = sorted(path.relative_to(copy).as_posix() for path in copy.rglob('*') if path.is_file())
    files = [*ROOT.rglob('*.py'), ROOT / 'README.md']
    assert names == sorted(path.relative_to(ROOT).as_posix() for path in files)
    (copy / '_base_' / 'students' / 'mnv3s_slim.py').write_text("student = dict(type='Mine')")
    (copy / 'student' / 'mine.py').write_text("_base_ = '../_base_/students/mnv3s_slim.py'")
    assert load_config(copy / 'student' / 'mine.py').student.type == 'Mine'


def test_the_command_shows_a_config_with_its_options(monkeypatch, capsys):
    lr = 'optim_wrapper.optimizer.lr'
    run_module(monkeypatch, 'print-config', SLIM, '--cfg-options', f'{lr}=0.5')
    shown = Config.fromstring(capsys.readouterr().out, '.py')
    assert shown.to_dict() == load_config(SLIM, {lr: 0.5}).to_dict()


def test_the_command_overwrites_nothing(monkeypatch, capsys, tmp_path):
    with pytest.raises(SystemExit) as stopped:
        run_module(monkeypatch, 'configs', '--copy', str(tmp_path))
    assert stopped.value.code == 2
    assert f'{tmp_path} exists already' in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_config_that_is_not_python_is_named(tmp_path):
    (tmp_path / 'mine.py').write_text("a = 1\nb = dict(a='x'\n")
    message = r"mine\.py, or a base of it, is not Python: line 2, .*: '\(' was never closed"
    with pytest.raises(ValueError, match=message):
        load_config(tmp_path / 'mine.py')
