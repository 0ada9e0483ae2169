"""A teacher's own test result."""

import json

import numpy as np
import pytest
import torch
from mmcv.image import imread
from mmengine.runner import Runner
from mmseg.registry import MODELS

from segkd_mm.datasets.shapes import ShapesDataset
from segkd_mm.distill.teacher import Teacher
from segkd_mm.results.runs import teacher_score
from segkd_mm.results.runs.teacher_score import test_teacher as score_of

CLASSES = list(ShapesDataset.METAINFO['classes'])


@pytest.fixture
def config(tiny, shapes, tmp_path):
    """A distillation whose teacher is sure of many classes, if wrong."""
    config = tiny('kd/response_kd_shapes.py')
    model = MODELS.build(config.model.teacher.model).eval()
    model.load_state_dict(torch.load(config.model.teacher.checkpoint))
    image = imread(next((shapes / 'JPEGImages').iterdir())).transpose(2, 0, 1)
    with torch.no_grad():
        data = model.data_preprocessor({'inputs': [torch.from_numpy(image.copy())]})
        spread, mean = torch.std_mean(model(data['inputs']), (0, 2, 3))
        last = model.decode_head.conv_seg
        last.bias.sub_(mean).mul_(9 / spread)
        last.weight.mul_(9 / spread[:, None, None, None])
    config.model.teacher.checkpoint = str(tmp_path / 'teacher.pth')
    torch.save(model.state_dict(), config.model.teacher.checkpoint)
    config.model.teacher.precision = 'fp32'  # what mmseg tests in
    return config


def on_file(tmp_path, score):
    return json.loads((tmp_path / score['file']).read_text())


@pytest.mark.slow
def test_it_is_what_mmsegs_metric_gives_for_the_teachers_own_config(tiny, config, tmp_path):
    options = {'load_from': config.model.teacher.checkpoint, 'work_dir': str(tmp_path / 'run')}
    expected = Runner.from_cfg(tiny('teacher/mnv3s_wide_shapes.py', **options)).test()
    score = score_of(config, tmp_path)
    assert score['mIoU'] == pytest.approx(expected['mIoU'], abs=0.006)  # mmseg rounds
    result = on_file(tmp_path, score)
    assert result['metrics']['aAcc'] == pytest.approx(expected['aAcc'], abs=0.006)
    assert (result['split'], result['images']) == ('test', 4)
    assert list(result['per_class']) == CLASSES


def test_it_is_measured_once_for_all_who_show_it_the_same(config, tmp_path, monkeypatch):
    first = score_of(config, tmp_path)
    monkeypatch.setattr(teacher_score, '_measure', lambda *_: pytest.fail('measured again'))
    config.model.teacher = dict(
        type='CachedTeacher', teacher=config.model.teacher, cache='anywhere'
    )  # whole images, too
    config.model.terms.logits.loss.loss_weight = 7.0
    assert score_of(config, tmp_path) == first


@pytest.mark.slow
def test_images_are_shown_in_the_view_of_the_config(config, tmp_path):
    plain = score_of(config, tmp_path)
    config.model.teacher = dict(
        type='CachedTeacher', teacher=config.model.teacher, cache='a', view=dict(short_side=96)
    )
    assert abs(score_of(config, tmp_path)['mIoU'] - plain['mIoU']) > 0.01


def test_another_view_or_other_weights_are_measured_anew(config, tmp_path, monkeypatch):
    views = []

    def measure(_teacher, view, *_):
        views.append(view)
        return {'metrics': {'mIoU': 50.0 + len(views)}}

    monkeypatch.setattr(teacher_score, '_measure', measure)
    scores = [score_of(config, tmp_path)]
    config.model.teacher = dict(
        type='CachedTeacher', teacher=config.model.teacher, cache='a', view=dict(flip=True)
    )
    scores.append(score_of(config, tmp_path))
    assert [score['mIoU'] for score in scores] == [51.0, 52.0]
    assert [view.flip for view in views] == [False, True]
    assert scores[1]['view']['flip'] is True


def confusion_of(config, tmp_path, monkeypatch, **classes):
    found = []
    if classes:
        config.model.terms.logits.classes = dict(student=CLASSES, **classes)
    monkeypatch.setattr(
        teacher_score, '_scores', lambda *args: found.extend(args) or {'metrics': {'mIoU': 1}}
    )
    score_of(config, tmp_path)
    return found


@pytest.mark.slow
def test_its_classes_are_mapped_by_name(config, tmp_path, monkeypatch):
    plain, _ = confusion_of(config, tmp_path, monkeypatch)
    mapped, names = confusion_of(config, tmp_path, monkeypatch, teacher=CLASSES[::-1])
    assert names == CLASSES
    # What it says of its last class is now said of the first.
    np.testing.assert_array_equal(mapped, plain[:, ::-1])


@pytest.mark.slow
def test_where_it_sees_classes_that_are_not_shared_it_has_to_decide_too(
    config, tmp_path, monkeypatch
):
    plain, _ = confusion_of(config, tmp_path, monkeypatch)
    said = int(plain.sum(0).argmax())  # what it takes most for
    shared = [name for name in CLASSES if name != CLASSES[said]]
    mapped, names = confusion_of(
        config, tmp_path, monkeypatch,
        teacher=CLASSES, mapping={CLASSES[said]: []}, drop=[CLASSES[said]],
    )  # fmt: skip
    assert names == shared
    assert mapped.sum() == plain.sum() - plain[said].sum()  # all pixels of the shared classes
    assert (plain.sum(0) > 0).sum() > 2


def test_a_teacher_of_features_alone_and_a_plain_student_have_none(
    tiny, config, tmp_path, monkeypatch
):
    assert score_of(tiny('student/mnv3s_slim_shapes.py'), tmp_path) is None
    features = [np.zeros(1)]
    monkeypatch.setattr(Teacher, 'output', lambda self, image: features)
    assert score_of(config, tmp_path) is None
    (file,) = (tmp_path / 'teachers').iterdir()
    assert json.loads(file.read_text())['metrics'] == {'mIoU': None}


def test_of_several_teachers_the_best_one_counts(config, tmp_path, monkeypatch):
    one = dict(config.model.teacher)
    members = {'head': one, 'b': {**one, 'input_scale': 2.0}}
    config.model.teacher = dict(type='TeacherEnsemble', members=members)
    config.model.terms.logits.teacher = 'b.decode_head.conv_seg'
    assert [len(terms) for _, terms in teacher_score._teachers(config.model)] == [0, 1]

    def measure(given, *_):
        return {'metrics': {'mIoU': 60.0 if 'input_scale' in given else 50.0}}

    monkeypatch.setattr(teacher_score, '_measure', measure)
    assert score_of(config, tmp_path)['mIoU'] == 60.0
    view = dict(type='CachedTeacher', cache='c', view=dict(flip=True), teacher=config.model.teacher)
    config.model.teacher = view
    score = score_of(config, tmp_path)
    assert (score['mIoU'], score['view']['flip']) == (60.0, True)
