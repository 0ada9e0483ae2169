from math import nan

import numpy as np
import pytest
from matplotlib.image import imread

from segkd_mm.evaluation import class_scores
from segkd_mm.visualize.class_charts import class_chart, confusion_chart

CLASSES = ['sky', 'road', 'pole', 'car']
CONFUSION = np.array([[60, 40, 0, 0], [5, 994, 0, 1], [0, 0, 0, 0], [0, 0, 0, 500]])


def texts(artists):
    return [artist.get_text() for artist in artists]


def test_classes_stand_from_best_to_worst_with_their_scores(tmp_path, figures):
    class_chart(tmp_path / 'out' / 'a.png', class_scores(CONFUSION, CLASSES))
    bars, shares = figures[0].axes
    names = dict(zip(bars.get_yticks(), texts(bars.get_yticklabels()), strict=True))
    top, bottom = bars.transData.transform([(0, 0), (0, 3)])[:, 1]
    assert top > bottom
    # sky 60 / 105, road 994 / 1040, car 500 / 501; nothing of pole.
    assert [names[place] for place in range(4)] == [
        'car  99.8',
        'road  95.6',
        'sky  57.1',
        'pole  -',
    ]
    assert texts(shares.texts) == ['31.2', '62.5', '6.2', '0.0']
    assert 'mean IoU 84.2' in texts(figures[0].legends[0].get_texts())
    assert imread(tmp_path / 'out' / 'a.png').shape[1] == 1500


def test_equal_classes_stay_in_their_order(tmp_path, figures):
    scores = [
        {'class': name, 'IoU': iou, 'recall': 0.0, 'precision': nan, 'share': 50.0}
        for name, iou in [('a', 0.0), ('b', nan), ('c', 0.0), ('d', 7.0), ('e', nan)]
    ]
    class_chart(tmp_path / 'a.png', scores)
    names = [text.split()[0] for text in texts(figures[0].axes[0].get_yticklabels())]
    assert names == ['d', 'a', 'c', 'b', 'e']


def test_cells_show_the_percent_of_the_true_class(tmp_path, figures):
    confusion_chart(tmp_path / 'a.png', CONFUSION, CLASSES)
    (axes,) = figures[0].axes
    cells = {
        (text.get_position()[1], text.get_position()[0]): text.get_text() for text in axes.texts
    }
    # 0.5 and 0.1 percent of road are too few to write, and there is no pole.
    assert cells == {(0, 0): '60', (0, 1): '40', (1, 1): '99', (3, 3): '100'}
    assert axes.get_ylabel() == 'true class (grey: no pixels)'
    assert texts(axes.get_xticklabels()) == texts(axes.get_yticklabels()) == CLASSES


@pytest.mark.parametrize('number', [1, 23])
def test_nothing_is_clipped_however_many_classes(tmp_path, number):
    classes = [f'class of a long name {i}' for i in range(number)]
    confusion = np.eye(number, dtype=int)
    class_chart(tmp_path / 'classes.png', class_scores(confusion, classes))
    confusion_chart(tmp_path / 'confusion.png', confusion, classes)
    for name in ('classes', 'confusion'):
        picture = imread(tmp_path / f'{name}.png')[..., :3]
        edges = [picture[0], picture[-1], picture[:, 0], picture[:, -1]]
        assert all((edge == 1).all() for edge in edges)
