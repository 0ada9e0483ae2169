from itertools import pairwise

import pytest
from made_up_results import by_seed, result
from matplotlib.colors import to_hex
from matplotlib.image import imread

from segkd_mm.results.statistics import leaderboard_rows
from segkd_mm.visualize.leaderboard import ABOVE, BELOW, draw_class_gains, draw_leaderboard
from segkd_mm.visualize.style import MUTED


@pytest.fixture
def rows():
    methods = {
        'worse': by_seed(39.0, 40.0, teacher=58.25),
        'plain': by_seed(41.0, 42.0),
        'a_method_of_a_rather_long_name': by_seed(44.5, 45.0, teacher=60.0),
        'once': by_seed(43.0, teacher=60.0),
    }
    return leaderboard_rows(methods, 'plain')


def test_a_dot_a_seed_from_the_best_down_with_the_baseline_as_a_line(tmp_path, figures, rows):
    draw_leaderboard(tmp_path / 'a.png', rows, 'CamVid test, 233 images')
    (axes,) = figures[0].axes
    names = [label.get_text() for label in axes.get_yticklabels()]
    assert names == ['a_method_of_a_rather_long_name', 'once', 'plain', 'worse']
    top, bottom = axes.transData.transform([(40, 0), (40, 3)])[:, 1]
    assert top > bottom
    dots = [line for line in axes.lines if line.get_marker() == 'o']
    assert [list(dot.get_xdata()) for dot in dots] == [[44.5, 45.0], [43.0], [41.0, 42.0], [39, 40]]
    colours = [to_hex(dot.get_color()).upper() for dot in dots]
    assert colours == [ABOVE, ABOVE, MUTED, BELOW]
    (line,) = [line for line in axes.lines if line.get_linestyle() == '--']
    assert list(line.get_xdata()) == [41.5, 41.5]
    assert axes.get_title('left') == 'CamVid test, 233 images; teachers at 58.2, 60.0'
    assert [text.get_text() for text in axes.texts] == [
        '44.75 ± 0.35', '43.00 one seed', '41.50 ± 0.71', '39.50 ± 0.71',
    ]  # fmt: skip


@pytest.mark.parametrize('methods', [1, 20])
def test_names_and_numbers_neither_overlap_nor_are_clipped(tmp_path, figures, methods):
    results = {f'method_{i}': by_seed(40.0 + i, 41.0 + i) for i in range(methods)}
    draw_leaderboard(tmp_path / 'a.png', leaderboard_rows(results, 'method_0'), 'data')
    (axes,) = figures[0].axes
    for texts in (axes.get_yticklabels(), axes.texts):
        boxes = sorted((text.get_window_extent() for text in texts), key=lambda box: box.y0)
        assert all(below.y1 < above.y0 for below, above in pairwise(boxes))
        assert all(figures[0].bbox.x0 <= box.x0 < box.x1 <= figures[0].bbox.x1 for box in boxes)
    assert imread(tmp_path / 'a.png').shape[1] == 1350


def test_gains_by_class_are_written_where_they_are_known(tmp_path, figures):
    base = {0: result(40.0, per_class={'sky': 90.0, 'pole': None, 'road': 80.0})}
    kd = {0: result(41.0, per_class={'sky': 90.04, 'pole': 5.0, 'road': 76.5})}
    draw_class_gains(tmp_path / 'a.png', leaderboard_rows({'plain': base, 'kd': kd}, 'plain'))
    (axes,) = figures[0].axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ['kd']
    assert [label.get_text() for label in axes.get_xticklabels()] == ['sky', 'pole', 'road']
    assert [text.get_text() for text in axes.texts] == ['+0.0', '-', '-3.5']
    (image,) = axes.images
    assert image.get_clim() == (-3.5, 3.5)  # white is no change


def test_without_a_gain_there_is_nothing_to_draw(tmp_path):
    with pytest.raises(ValueError, match='no method has a seed in common with the baseline'):
        draw_class_gains(tmp_path / 'a.png', leaderboard_rows({'plain': by_seed(1.0)}, 'plain'))
    assert list(tmp_path.iterdir()) == []
