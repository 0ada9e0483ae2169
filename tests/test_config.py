import re
import runpy
import sys
from pathlib import Path

import pytest
from mmengine.config import Config

from segkd_mm.config import config_dir, list_configs, load_config, plain_student

ROOT = Path(__file__).parents[1] / 'configs'
EXPERIMENTS = sorted(
    path.relative_to(ROOT).as_posix()
    for folder in ('student', 'teacher', 'kd', 'leaderboard', 'few_labels', 'pretrain')
    for path in (ROOT / folder).glob('*.py')
)
DISTILLED = [name for name in EXPERIMENTS if name.startswith('kd/')]
# As the names of experiments have them: cityscapes_half is short of its half there.
DATASETS = sorted(
    path.stem.removesuffix('_half') for path in (ROOT / '_base_' / 'datasets').glob('*.py')
)
LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')
each_experiment = pytest.mark.parametrize('name', EXPERIMENTS)
each_distilled = pytest.mark.parametrize('name', DISTILLED)


def run_module(monkeypatch, *args):
    """``python -m segkd_mm``, in this process."""
    monkeypatch.setattr(sys, 'argv', ['segkd_mm', *args])
    runpy.run_module('segkd_mm', run_name='__main__')


def data_sets(config):
    """All data sets of a config that have masks, those inside a ConcatDataset one by one."""
    outer = [config[loader].dataset for loader in LOADERS]
    outer = [one.get('labelled') or one.get('dataset') or one for one in outer]
    return [inner for one in outer for inner in one.get('datasets', [one])]


def test_the_list_holds_every_experiment_and_no_part():
    assert config_dir() == ROOT
    assert list_configs() == sorted(EXPERIMENTS)
    assert 'kd/feature_kd_voc.py' in EXPERIMENTS


@pytest.mark.parametrize('path', sorted((ROOT / '_base_').rglob('*.py')), ids=lambda p: p.stem)
def test_every_part_loads_by_itself_and_only_pairs_define_a_model(path):
    assert ('model' in Config.fromfile(path)) == (path.parent.name == 'pairs')


@each_experiment
def test_every_experiment_has_all_that_a_run_needs(name):
    config = load_config(name)
    wanted = ['model', *LOADERS, 'val_evaluator', 'test_evaluator', 'optim_wrapper', 'train_cfg',
              'val_cfg', 'test_cfg', 'default_scope', 'custom_imports', 'randomness']  # fmt: skip
    assert [key for key in wanted if key not in config] == []
    assert config.custom_imports.imports == ['segkd_mm']


@each_experiment
def test_no_experiment_takes_more_than_25_lines(name):
    assert len((ROOT / name).read_text().splitlines()) <= 25


@each_distilled
def test_every_distillation_has_a_student_a_teacher_and_terms(name):
    model = load_config(name).model
    assert set(model) == {'type', 'student', 'teacher', 'terms'}
    assert model.type == 'SegDistiller'
    assert model.teacher.checkpoint
    for term in model.terms.values():
        assert set(term) <= {'student', 'teacher', 'adapter', 'loss', 'classes', 'schedule'}
        assert term.student and term.teacher and term.loss.loss_weight > 0


def plain_of(name: str) -> str:
    """The plain student's config of a distillation: METHOD[_STUDENT[_TEACHER]]_DATA.py."""
    stem = name.removesuffix('.py').removeprefix('kd/')
    dataset = next(data for data in DATASETS if stem.endswith(f'_{data}'))
    students = {'_mnv3l_': 'mnv3l_fcn', '_psp_r18_': 'psp_r18'}
    student = next((full for short, full in students.items() if short in stem), 'mnv3s_slim')
    return f'student/{student}_{dataset}.py'


@each_distilled
def test_the_plain_student_of_a_distillation_is_that_of_its_own_config(name):
    config = load_config(name)
    student = plain_student(config)
    expected = load_config(plain_of(name)).model
    if 'response_kd_mnv3l' in name:  # half of the loss is the teacher's
        expected.decode_head.loss_decode.loss_weight = 0.5
    assert student.model == expected
    assert {k: v for k, v in student.items() if k != 'model'} == {
        k: v for k, v in config.items() if k != 'model'
    }
    assert config.model.type == 'SegDistiller'  # which is left as it was


@pytest.mark.parametrize('data', ['camvid', 'voc'])
def test_every_set_of_terms_has_an_experiment_on_both_data_sets(data):
    used = {Path(base).stem for name in DISTILLED if name.endswith(f'_{data}.py')
            for base in re.findall(r'terms/\w+', (ROOT / name).read_text())}  # fmt: skip
    assert used == {path.stem for path in (ROOT / '_base_' / 'terms').glob('*.py')}


@pytest.mark.parametrize('name', [n for n in EXPERIMENTS if n.startswith('leaderboard/')])
def test_all_on_a_leaderboard_train_one_student_by_one_recipe(name):
    student, data = re.fullmatch(r'leaderboard/([a-z0-9]+)_\w+?_([a-z]+)\.py', name).groups()
    config = plain_student(load_config(name))
    plain = load_config(f'leaderboard/{student}_plain_{data}.py')
    for key in ('optim_wrapper', 'param_scheduler', 'train_cfg', 'custom_hooks', 'test_dataloader'):
        assert config[key] == plain[key], key
    data = config.train_dataloader.dataset
    assert data.get('dataset', data) == plain.train_dataloader.dataset
    plain.model.backbone.weights = config.model.backbone.get('weights')  # of a two-stage recipe
    config.model.backbone.setdefault('weights', None)
    assert config.model == plain.model


@each_distilled
def test_a_loss_that_counts_classes_counts_those_of_the_data(name):
    config = load_config(name)
    stated = [term.loss.num_classes for term in config.model.terms.values()
              if 'num_classes' in term.loss]  # fmt: skip
    assert set(stated) <= {config.num_classes}


def classes_of(model) -> set[int]:
    """The numbers of classes of a model's heads."""
    heads = model.get('decode_head') or model
    heads = heads if isinstance(heads, list) else [heads]
    return {head.num_classes for head in [*heads, model.get('auxiliary_head')] if head}


@each_experiment
def test_every_model_has_as_many_classes_as_its_data(name):
    config = load_config(name)
    assert classes_of(plain_student(config).model) == {config.num_classes}
    # A bare backbone knows no classes.
    if name in DISTILLED and config.model.teacher.model.type != 'TimmFeatures':
        assert classes_of(config.model.teacher.model) == {config.num_classes}


@pytest.mark.parametrize('name', [n for n in EXPERIMENTS if n.startswith(('student/', 'teacher/'))])
def test_a_plain_config_is_its_own_plain_student(name):
    config = load_config(name)
    student = plain_student(config)
    assert student is not config
    assert student.to_dict() == config.to_dict()
    assert student.filename == config.filename


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
    before = load_config(name)
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
    assert [one.get('download') for one in data_sets(load_config(name))] == count * [None]


def test_data_that_cannot_be_downloaded_are_an_error_that_names_those_that_can():
    with pytest.raises(
        ValueError, match=r'slim_camvid.py: its data cannot.* voc.py, voc_7_small.py, voc_aug.py\.'
    ):
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
    with pytest.raises(FileNotFoundError, match=rf'No config {path}.* Close: {close}') as error:
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
    assert names == sorted(path.relative_to(ROOT).as_posix() for path in ROOT.rglob('*.py'))
    (copy / '_base_' / 'students' / 'mnv3s_slim.py').write_text("student = dict(type='Mine')")
    (copy / 'student' / 'mine.py').write_text("_base_ = '../_base_/students/mnv3s_slim.py'")
    assert load_config(copy / 'student' / 'mine.py').student.type == 'Mine'


def test_the_command_overwrites_nothing(monkeypatch, capsys, tmp_path):
    with pytest.raises(SystemExit) as stopped:
        run_module(monkeypatch, 'configs', '--copy', str(tmp_path))
    assert stopped.value.code == 2
    assert f'{tmp_path} exists already' in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
