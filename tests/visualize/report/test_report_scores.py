import numpy as np
import pytest

from segkd_mm.visualize.report.browser import evenly, shrunk_ids
from segkd_mm.visualize.report.scores import image_score
from segkd_mm.visualize.report.tables import confusion_rows, frequent_errors


def test_an_image_by_hand():
    truth = np.array([[0, 0, 0, 0], [1, 1, 255, 254]], dtype=np.uint8)
    label_map = np.array([[0, 0, 0, 1], [1, 2, 2, 2]], dtype=np.uint8)
    score = image_score(truth, label_map, 4)
    # sky 3 of 4, road 1 of 3, car 0 of 1; void and unlabelled do not count; class 3 is not there.
    assert score.iou == {0: 75.0, 1: 33.3, 2: 0.0}
    assert score.miou == pytest.approx((75 + 100 / 3 + 0) / 3)
    assert score.recall == {0: 75.0, 1: 50.0}
    assert score.errors == [(0, 1, 16.67), (1, 2, 16.67)]
    with pytest.raises(ValueError, match=r'\(2, 4\).*\(2, 3\)'):
        image_score(truth[:, :3], label_map, 4)


def test_images_are_taken_evenly_with_the_worst_and_the_best():
    assert evenly(range(9), 3) == [0, 4, 8]
    assert evenly('abc', 5) == ['a', 'b', 'c']


def test_ids_are_shrunk_without_mixing():
    ids = np.kron(np.array([[3, 200], [0, 255]], dtype=np.uint8), np.ones((8, 16), np.uint8))
    shrunk = shrunk_ids(ids, 8)
    assert shrunk.shape == (4, 8)
    assert np.unique(shrunk).tolist() == [0, 3, 200, 255]
    assert shrunk_ids(ids, 500).shape == ids.shape


def test_errors_of_all_images_by_hand():
    confusion = np.array([[6, 2, 0], [1, 1, 0], [0, 0, 0]])
    assert confusion_rows(confusion) == [[75, 25, 0], [50, 50, 0], [None, None, None]]
    assert frequent_errors(confusion) == [
        {'truth': 0, 'taken': 1, 'of_all': 20, 'of_class': 25},
        {'truth': 1, 'taken': 0, 'of_all': 10, 'of_class': 50},
    ]
