import pytest
from matplotlib import rcParams
from matplotlib.image import imread

from segkd_mm.visualize.style import COLOURS, chart


def test_a_chart_has_its_size_and_the_style_goes_no_further(tmp_path):
    before = dict(rcParams)
    with chart(tmp_path / 'new' / 'a.png', width=4, height=2) as figure:
        (line,) = figure.subplots().plot([0, 1])
    assert imread(tmp_path / 'new' / 'a.png').shape[:2] == (2 * 150, 4 * 150)
    assert line.get_color() == COLOURS[0]
    assert dict(rcParams) == before


def test_a_chart_that_fails_leaves_the_old_one(tmp_path):
    path = tmp_path / 'a.png'
    path.write_text('old')
    with pytest.raises(ZeroDivisionError), chart(path, 4, 2):
        raise ZeroDivisionError
    assert path.read_text() == 'old'
    assert list(tmp_path.iterdir()) == [path]
