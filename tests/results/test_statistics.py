"""The leaderboard's rows, by numbers worked out by hand."""

import pytest
from made_up_results import SERVER, by_seed, result

from segkd_mm.results.statistics import leaderboard_rows, paired_p, table_rows


def test_the_paired_test_by_hand():
    # Differences 1, 2, 3: t = 2 / (1 / sqrt 3) = 3.464 with 2 degrees of freedom.
    assert paired_p([41.0, 43.0, 45.0], [40.0, 41.0, 42.0]) == pytest.approx(0.07418, abs=1e-5)
    # Differences 1 and 3: t = 2 with 1 degree, of which p = 1 - 2 / pi * atan(2).
    assert paired_p([1.0, 3.0], [0.0, 0.0]) == pytest.approx(0.29517, abs=1e-5)
    assert paired_p([1.0], [0.0]) is None
    assert paired_p([1.0, 2.0], [1.0, 2.0]) is None


def test_a_method_is_held_against_the_baseline_seed_by_seed():
    methods = {'plain': by_seed(40.0, 41.0, 42.0), 'kd': by_seed(41.0, 43.0, 45.0, teacher=51.0)}
    kd, plain = leaderboard_rows(methods, 'plain')
    assert (kd.method, kd.mean, kd.std, kd.teacher) == ('kd', 43.0, 2.0, 51.0)
    assert (plain.mean, plain.std, plain.gain) == (41.0, 1.0, None)
    assert kd.gain.mean == 2.0
    assert kd.gain.p == pytest.approx(0.07418, abs=1e-5)
    assert kd.gain.of_gap == pytest.approx(20.0)  # 2 of the 10 points to the teacher


def test_only_seeds_that_both_have_are_compared():
    methods = {
        'plain': {0: result(40.0), 2: result(50.0)},
        'kd': {1: result(30.0), 2: result(51.0), 0: result(43.0)},
        'once': {7: result(60.0)},
    }
    once, plain, kd = leaderboard_rows(methods, 'plain')
    assert [row.method for row in (once, plain, kd)] == ['once', 'plain', 'kd']
    assert sorted(kd.gain.seeds) == [0, 2]
    assert kd.gain.mean == 2.0  # (43 + 51) / 2 - (40 + 50) / 2
    assert once.gain is None
    assert [row['pairs'] for row in table_rows([plain, kd])] == [None, 2]


def test_a_single_seed_is_marked_and_has_no_deviation():
    rows = leaderboard_rows({'plain': by_seed(40.0, 42.0), 'kd': by_seed(41.0)}, 'plain')
    kd = next(row for row in table_rows(rows) if row['method'] == 'kd')
    assert (kd['seeds'], kd['±'], kd['p'], kd['gain']) == ('1 seed', None, None, 1.0)


def test_a_teacher_below_the_baseline_leaves_no_gap():
    rows = leaderboard_rows({'plain': by_seed(40.0), 'kd': by_seed(41.0, teacher=39.0)}, 'plain')
    assert rows[0].gain.of_gap is None


def test_step_time_is_compared_on_the_same_hardware_alone():
    other = {**SERVER, 'cpu': 'B'}
    kd = {
        0: result(1.0, seconds=3.0), 1: result(1.0, seconds=2.0),
        2: result(1.0, seconds=90.0, machine=other), 3: result(1.0, seconds=2.2),
    }  # fmt: skip
    (_, row) = leaderboard_rows(
        {'plain': by_seed(1.0, 1.0, 1.0, 1.0, seconds=2.0), 'kd': kd}, 'plain'
    )
    assert row.gain.step_time == pytest.approx(1.1)  # the middle of 1.5, 1 and 1.1
    elsewhere = {0: result(1.0, machine=other)}
    (_, row) = leaderboard_rows({'plain': by_seed(1.0), 'kd': elsewhere}, 'plain')
    assert row.gain.step_time is None


def test_gains_by_class_leave_out_classes_without_an_iou():
    base = {0: result(1.0, per_class={'sky': 10.0, 'pole': None, 'road': 1.0}),
            1: result(1.0, per_class={'sky': 20.0, 'pole': 4.0, 'road': None})}  # fmt: skip
    kd = {0: result(2.0, per_class={'sky': 13.0, 'pole': 5.0, 'road': None}),
          1: result(2.0, per_class={'sky': 21.0, 'pole': 6.0, 'road': 3.0})}  # fmt: skip
    (row, _) = leaderboard_rows({'plain': base, 'kd': kd}, 'plain')
    assert row.gain.per_class == {'sky': 2.0, 'pole': 2.0, 'road': None}


@pytest.mark.parametrize(
    ('odd', 'said'),
    [
        (result(1.0, images=7), r'different test images: a/0 \(CamVid test, 233 images\), .*7'),
        (result(1.0, dataset='VOC2012Dataset'), r'different test images: .*\(VOC2012 test'),
        (result(1.0, per_class={'road': 1.0}), r'different classes: a/0 \(sky\), a/1 \(road\)'),
        (result(1.0, teacher=9.0), r'different teachers: a/0 \(None\), a/1 \(teachers/9'),
    ],
)
def test_what_cannot_be_compared_is_an_error(odd, said):
    with pytest.raises(ValueError, match=said):
        leaderboard_rows({'a': {0: result(1.0), 1: odd}}, 'a')


def test_methods_without_a_result_are_left_out_and_so_may_be_the_baseline():
    (row,) = leaderboard_rows({'plain': {}, 'kd': by_seed(1.0)}, 'plain')
    assert (row.method, row.gain) == ('kd', None)
    assert leaderboard_rows({'plain': {}}, 'plain') == []


def test_a_line_of_the_table():
    methods = {'plain': by_seed(40.0, 41.0, 42.0), 'kd': by_seed(41.0, 43.0, 45.0, teacher=51.0)}
    kd, _ = table_rows(leaderboard_rows(methods, 'plain'))
    assert kd == {
        'method': 'kd', 'mIoU': 43.0, '±': 2.0, 'seeds': '3', 'gain': 2.0, 'p': '0.074',
        '% of the gap': pytest.approx(20.0), 'teacher': 51.0, 'x step time': 1.0,
    }  # fmt: skip
    sure = {'plain': by_seed(1.0, 2.0, 3.0), 'kd': by_seed(2.0, 3.0, 4.0 + 1e-3)}
    assert table_rows(leaderboard_rows(sure, 'plain'))[0]['p'] == '< 0.001'
