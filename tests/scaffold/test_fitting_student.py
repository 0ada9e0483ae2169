"""The most accurate student that fits, by accuracies that are those of the result files."""

import json
import runpy
from pathlib import Path

import pytest
import tiny_student
import torch
from mmseg.registry import MODELS

from segkd_mm.deploy import FastLabelMap
from segkd_mm.scaffold import choose_student, fitting_student, measure_students, student_rows
from segkd_mm.scaffold.accuracy import FILE, read_accuracies
from segkd_mm.scaffold.fitting_student import Timed

BENCHMARK = Path(__file__).parents[2] / 'benchmarks/student_accuracy.py'


def test_the_file_in_the_package_is_that_of_the_result_files():
    accuracies = runpy.run_path(str(BENCHMARK))['accuracies']()
    hint = 'run python benchmarks/student_accuracy.py'
    assert json.loads(FILE.read_text(encoding='utf-8')) == accuracies, hint


def test_results_of_other_data_than_the_reference_do_not_compare():
    found = read_accuracies()
    nano, large = found['mnv3s_nano'], found['mnv3l_fcn']
    assert nano.result == 'camvid/nano_pretrained_camvid'
    assert nano.gain == pytest.approx(33.74 - 34.99)
    assert large.gain is None
    assert large.order < nano.order
    assert 'mnv3s_aspp' not in found


def timed(**milliseconds):
    return [Timed(name, 1000, ms, is_rough=False) for name, ms in milliseconds.items()]


@pytest.mark.parametrize(
    ('limit', 'chosen'),
    [
        (100, 'mnv3s_slim'),  # 0.01 points below mnv2_transposed, which is slower
        (29, 'mnv3s_nano'),
        (19, 'mnv3l_fcn'),  # not compared, but measured
        (9, 'mnv4s_slim'),  # the fastest of what was not measured
        (2, None),
    ],
)
def test_the_most_accurate_that_fits_is_chosen(limit, chosen):
    students = timed(mnv2_transposed=50, mnv3s_slim=30, mnv3s_nano=20, mnv3l_fcn=10,
                     repvit_slim=6, mnv4s_slim=5)  # fmt: skip
    found = choose_student(students, limit)
    assert (found and found.name) == chosen
    rows = student_rows(students, limit, found)
    assert [row['student'] for row in rows][-2:] == ['mnv4s_slim', 'repvit_slim']
    assert [row['test mIoU'] for row in rows][-2:] == ['not measured'] * 2
    assert [row['student'] for row in rows if row['chosen']] == ([chosen] if chosen else [])


@pytest.mark.slow
def test_students_are_measured_and_those_far_too_slow_only_roughly(monkeypatch):
    monkeypatch.setattr(fitting_student, 'list_students', lambda: ['mnv3s_nano'])
    (rough,) = measure_students(1e-3, (64, 64), 3, 'cpu', 'torch')
    (fine,) = measure_students(1e6, (64, 64), 3, 'cpu', 'torch')
    assert (rough.is_rough, fine.is_rough) == (True, False)
    assert rough.parameters == 1_324_821 - 18 * 129  # 3 classes for 21: 128 weights and a bias


@pytest.mark.slow
def test_another_runtime_gives_label_maps():
    model = MODELS.build(tiny_student.MODEL).eval()
    run = fitting_student._run(model, 'torch-export', (64, 64))
    image = torch.randint(256, (1, 3, 64, 96), dtype=torch.uint8)
    with torch.inference_mode():
        assert torch.equal(run(image), FastLabelMap.from_model(model)(image))
