import json
from functools import partial

import pytest


@pytest.mark.slow
def test_distillations_are_measured_beside_the_plain_step_and_the_teacher(measure, tmp_path):
    run = measure('kd/response_kd_shapes.py', '--size', 64, 64, '--batch', 2,
                  '--repeats', 1, '--out', 'cost.json')  # fmt: skip
    assert run.returncode == 0, run.stderr
    result = json.loads((tmp_path / 'cost.json').read_text())
    ratios, steps = result['ratios'], result['steps']
    assert set(ratios) == {'plain student', "teacher's forward", 'response_kd_shapes'}
    assert ratios['plain student'] == 1
    plain, kd = steps['plain student'], steps['response_kd_shapes']
    assert ratios['response_kd_shapes'] == pytest.approx(kd['ms'] / plain['ms'])
    (row,) = [row for row in result['table'] if row['ms of the terms alone']]
    assert row['step'] == 'response_kd_shapes'
    assert 0 < row['ms of the terms alone'] < kd['ms']
    assert row['MiB more'] == pytest.approx(kd['peak_mib'] - plain['peak_mib'])
    assert 'response_kd_shapes' in run.stdout


@pytest.mark.slow
def test_a_cached_teacher_is_measured_without_its_cache(measure, tmp_path):
    words = '--size', 64, 64, '--batch', 2, '--repeats', 1, '--out', 'cost.json'
    assert measure('kd/feature_kd_cached_voc.py', *words).returncode == 0
    result = json.loads((tmp_path / 'cost.json').read_text())
    assert set(result['ratios']) == {'plain student', 'feature_kd_cached_voc'}
    (row,) = [row for row in result['table'] if row['ms of the terms alone']]
    assert row['step'] == 'feature_kd_cached_voc'


@pytest.mark.slow
def test_the_naive_step_is_held_against_the_best(measure, tmp_path):
    words = '--naive', '--amp', '--size', 64, 64, '--batch', 2, '--repeats', 1, '--out', 'cost.json'
    assert measure('kd/response_kd_shapes.py', *words).returncode == 0
    result = json.loads((tmp_path / 'cost.json').read_text())
    ratios, steps = result['ratios'], result['steps']
    assert ratios['naive'] == pytest.approx(steps['naive']['ms'] / steps['plain student']['ms'])
    names = 'naive', 'response_kd_shapes', 'response_kd_shapes, --amp'
    assert set(ratios) == {*names, 'plain student', "teacher's forward", 'naive to best'}
    best = min(ratios[name] for name in names)
    assert ratios['naive to best'] == pytest.approx(ratios['naive'] / best)


def test_a_cached_teacher_alone_has_no_naive_step(measure):
    done = measure('kd/response_kd_cached_camvid.py', '--naive')
    assert done.returncode == 1
    assert 'none of response_kd_cached_camvid has a teacher of type' in done.stderr


@pytest.fixture
def measure(script, tmp_path):
    """Run the script in ``tmp_path``."""
    return partial(script, 'benchmarks/kd_step.py', cwd=tmp_path)


@pytest.mark.parametrize(
    ('configs', 'match'),
    [
        (['student/mnv3s_slim_shapes.py'], 'the model is EncoderDecoder, expected SegDistiller'),
        (['kd/response_kd_shapes.py', 'kd/response_kd_msrc_v2.py'], 'have different students'),
    ],
)
def test_what_cannot_be_compared_is_an_error(measure, configs, match):
    done = measure(*configs)
    assert done.returncode == 1
    assert match in done.stderr
