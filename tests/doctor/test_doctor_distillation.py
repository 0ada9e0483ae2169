"""Checks of the teacher, the terms and their pull, and the cost."""

from math import isnan

import numpy as np
import pytest
import torch
from mmengine.runner import Runner
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample

from segkd_mm.doctor import Experiment, check_accuracy, check_cost, check_gradients, check_taps
from segkd_mm.doctor.accuracy import CONSTANT, STUDENT, _compare, _compare_crops, _labels_at
from segkd_mm.doctor.finding import Report
from segkd_mm.doctor.gradients import _finding as gradient_finding
from segkd_mm.evaluation import mean_iou

pytestmark = pytest.mark.slow

FEATURE = dict(
    student='backbone.high',
    teacher='backbone.final',
    adapter='auto',
    loss=dict(type='CosineFeatureLoss', loss_weight=0.5),
)
KD = 'kd/response_kd_shapes.py'


def found(report, level):
    return [finding.text for finding in report.findings if finding.level == level]


def test_miou_by_hand():
    # IoU of the classes: 6 / (8 + 7 - 6) and 3 / (4 + 5 - 3); nobody has the third.
    matrix = np.array([[6, 2, 0], [1, 3, 0], [0, 0, 0]])
    assert mean_iou(matrix) == pytest.approx(100 * (6 / 9 + 3 / 6) / 2)
    assert isnan(mean_iou(np.zeros((2, 2), int)))


@pytest.mark.parametrize(
    ('teacher', 'level'), [([[9, 1], [1, 9]], 'ok'), ([[10, 0], [10, 0]], 'error'),
                           ([[10, 0], [5, 5]], 'warning')],
)  # fmt: skip
def test_a_teacher_at_chance_is_an_error_and_one_below_the_student_a_warning(teacher, level):
    matrices = {
        STUDENT: np.array([[10, 0], [4, 6]]),
        'teacher': np.array(teacher),
        CONSTANT: np.array([[10, 0], [10, 0]]),  # 50 % IoU of one class, 0 of the other
    }
    report = Report('')
    _compare(matrices, report, '3 images')
    (finding,) = report.findings
    assert finding.level == level and finding.text.startswith('teacher: ')


def test_a_teacher_that_sees_much_less_in_crops_is_said():
    (note,) = _compare_crops('teacher', 76.2, 51.1)
    assert '51.1 mIoU on the training crops, 76.2 on whole images' in note.text
    assert _compare_crops('teacher', 40, 38) == []


def test_an_untrained_teacher_is_found_out(tiny):
    report = check_accuracy(Experiment(tiny(KD)), images=4)
    assert {row['who'] for row in report.rows} == {
        STUDENT, CONSTANT, "teacher, tap 'decode_head.conv_seg'",
    }  # fmt: skip
    assert [row['on'] for row in report.rows].count('training crops') == 1
    (error,) = found(report, 'error')
    assert 'hardly more than predicting one class everywhere' in error


def test_crops_and_images_of_several_sizes_are_padded_and_padding_does_not_count(tiny):
    config = tiny(KD)
    (crop,) = [t for t in config.train_dataloader.dataset.pipeline if t.type == 'RandomCrop']
    crop.crop_size = (1000, 1000)  # so that images stay as large as they come
    config.model.student.data_preprocessor.size = (256, 256)
    config.model.student.data_preprocessor.test_cfg = dict(size=(224, 224))
    plain = check_accuracy(Experiment(tiny(KD)), images=4).rows
    padded = check_accuracy(Experiment(config), images=4).rows
    constant = [row['pixel accuracy'] for row in (*plain, *padded) if row['who'] == CONSTANT]
    assert constant[0] == pytest.approx(constant[1])
    assert [row['on'] for row in padded].count('training crops') == 1


@pytest.mark.parametrize('size', [(64, 64), (96, 80)])
def test_labels_are_resized_with_the_image_and_padded(size):
    """Quadrants of an image of 128 x 128 at half its size."""
    labels = torch.arange(4).reshape(2, 2).repeat_interleave(64, 0).repeat_interleave(64, 1)
    sample = SegDataSample(
        metainfo=dict(ori_shape=(128, 128), scale_factor=(0.5, 0.5)),
        gt_sem_seg=PixelData(data=labels[None]),
    )
    found = _labels_at(sample, size)
    assert found[:64, :64].tolist() == labels[::2, ::2].tolist()
    assert found.shape == size and (found == 255).sum() == size[0] * size[1] - 64 * 64
    crop = _labels_at(sample, (128, 128))  # which was resized with its image
    assert torch.equal(crop, labels)


def test_the_scores_are_those_of_mmsegs_metric(tiny):
    config = tiny('student/mnv3s_slim_shapes.py')
    experiment = Experiment(config)
    (student, constant) = check_accuracy(experiment, images=100).rows
    runner = Runner.from_cfg(config)
    runner.model.load_state_dict(experiment.model.state_dict())
    expected = runner.test()
    assert student['mIoU'] == pytest.approx(expected['mIoU'], abs=0.2)
    assert student['pixel accuracy'] == pytest.approx(expected['aAcc'], abs=0.2)
    assert constant['who'] == CONSTANT


def test_a_teacher_of_feature_terms_is_measured_by_its_own_logits(tiny):
    config = tiny(KD)
    config.model.terms = dict(feature=FEATURE)
    report = check_accuracy(Experiment(config), images=2)
    assert 'teacher, its own logits' in {row['who'] for row in report.rows}


def test_the_terms_are_shown_with_shapes_strides_and_parameters(tiny):
    config = tiny(KD)
    config.model.terms.feature = FEATURE
    logits, feature = check_taps(Experiment(config)).rows
    assert logits['student'] == 'decode_head.conv_seg [8, 24, 24], stride 4'
    assert feature['student'] == 'backbone.high [48, 6, 6], stride 16'
    assert feature['teacher'] == 'backbone.final [576, 6, 6], stride 16'
    assert feature['parameters of the term'] == 48 * 576 + 576


def test_taps_far_apart_and_weights_of_0_are_said(tiny):
    config = tiny(KD)
    config.model.terms = dict(
        far={**FEATURE, 'student': 'backbone.low', 'teacher': 'backbone.final'},
        off={**FEATURE, 'loss': dict(type='CosineFeatureLoss', loss_weight=0.0)},
    )
    report = check_taps(Experiment(config))
    (note,) = found(report, 'note')
    assert "'far': strides 4 of the student and 16 of the teacher" in note
    assert found(report, 'warning') == ["Term 'off' has weight 0: it is off."]


def test_a_class_map_in_another_order_than_the_data_is_an_error(tiny):
    config = tiny(KD)
    experiment = Experiment(config)
    classes = list(experiment.dataset('train').metainfo['classes'])
    for student, level in ((classes, 'ok'), (classes[::-1], 'error')):
        config.model.terms.logits.classes = dict(student=student, teacher=classes)
        texts = found(check_taps(Experiment(config)), level)
        assert any("Term 'logits'" in text for text in texts)


def pull(tiny, weight, **term):
    config = tiny(KD)
    config.model.terms.logits.update(term)
    config.model.terms.logits.loss.loss_weight = weight
    torch.manual_seed(0)
    return check_gradients(Experiment(config), batches=1)


def test_the_pull_is_that_of_the_weight_and_the_advice_makes_it_one(tiny):
    (one,), (ten,) = pull(tiny, 1.0).rows, pull(tiny, 10.0).rows
    ratio = one['gradient, times that of the labels']
    assert ten['gradient, times that of the labels'] == pytest.approx(10 * ratio, rel=0.05)
    (equal,) = pull(tiny, 1 / ratio).rows
    assert equal['gradient, times that of the labels'] == pytest.approx(1, rel=0.05)


def test_a_schedule_counts_at_its_highest(tiny):
    (plain,) = pull(tiny, 1.0).rows
    (warm,) = pull(tiny, 1.0, schedule=[(0, 0), (0.5, 1), (1, 0.5)]).rows
    assert warm['weight'] == 1
    ratio = 'gradient, times that of the labels'
    assert warm[ratio] == pytest.approx(plain[ratio], rel=0.05)


def test_a_term_before_the_backbones_outputs_is_compared_by_its_parameters(tiny):
    config = tiny(KD)
    config.model.terms.early = dict(
        student='backbone.body.0', teacher='backbone.body.0',
        loss=dict(type='PairWiseLoss', loss_weight=1.0),
    )  # fmt: skip
    rows = {row['term']: row for row in check_gradients(Experiment(config), batches=1).rows}
    assert rows['early']['gradient, times that of the labels'] > 0


@pytest.mark.parametrize(
    ('ratio', 'scheduled', 'level', 'words'),
    [(40, False, 'warning', 'about 0.05 makes them equal'), (40, True, 'note', 'is 40 times'),
     (1.5, False, 'ok', '1.5 times'), (0.001, False, 'warning', 'about 2e+03'),
     (0, False, 'warning', 'or another tap')],
)  # fmt: skip
def test_the_finding_depends_on_the_ratio_of_the_gradients(ratio, scheduled, level, words):
    finding = gradient_finding('x', ratio, 2.0, scheduled)
    assert finding.level == level
    assert words in f'{finding.text} {finding.advice}'


def test_the_cost_is_that_of_the_run(tiny):
    report = check_cost(Experiment(tiny(KD)), repeats=1)
    own, plain = report.rows
    assert own['trained'] == plain['trained'] and own['frozen'] == 0
    assert own['ms a step'] > 0 and own['peak MiB a step'] > 1
    # 16 images in batches of 4, for 2 epochs.
    assert found(report, 'ok')[-1].startswith('8 iterations: about 0:')
