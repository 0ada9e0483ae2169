from math import nan

import numpy as np
import pytest
import torch
from mmseg.evaluation import IoUMetric

from segkd_mm.evaluation import ClassIoUMetric, class_scores, confusion_matrix, mean_iou

CLASSES = ('sky', 'road', 'car')


def evaluated(metric, images, size=None):
    """Feed (prediction, truth) pairs as a test run does; give the metric and what it returns."""
    metric.dataset_meta = {'classes': CLASSES}
    for prediction, truth in images:
        sample = {'pred_sem_seg': {'data': prediction[None]}, 'gt_sem_seg': {'data': truth[None]}}
        metric.process({}, [sample])
    return metric, metric.evaluate(size or len(images))


def masks(*rows):
    return torch.tensor(rows)


@pytest.fixture
def random_images():
    generator = torch.Generator().manual_seed(3)
    images = []
    for size in [(20, 30), (31, 7), (1, 9)]:
        prediction = torch.randint(3, size, generator=generator)
        truth = torch.randint(3, size, generator=generator)
        truth[torch.rand(size, generator=generator) < 0.3] = 255
        images.append((prediction, truth))
    return images


def test_confusion_by_hand():
    prediction, truth = masks([0, 0, 0, 1], [1, 2, 2, 1]), masks([0, 0, 255, 0], [1, 1, 1, 255])
    metric, _ = evaluated(ClassIoUMetric(), [(prediction, truth)])
    assert metric.confusion.tolist() == [[2, 1, 0], [0, 1, 2], [0, 0, 0]]


def test_the_label_map_of_one_logit_is_of_floats():
    prediction, truth = torch.tensor([[0.0, 1.0, 1.0]]), masks([0, 1, 0])
    metric, _ = evaluated(ClassIoUMetric(), [(prediction, truth)])
    assert metric.confusion.tolist() == [[1, 1, 0], [0, 1, 0], [0, 0, 0]]


def test_another_class_of_void_counts_for_nothing():
    prediction, truth = masks([1, 1, 1, 2]), masks([0, 0, 1, 2])
    metric, scores = evaluated(ClassIoUMetric(ignore_index=0), [(prediction, truth)])
    assert metric.confusion.tolist() == [[0, 0, 0], [0, 1, 0], [0, 0, 1]]
    assert scores['mIoU'] == 100


def test_other_scores_come_beside_miou():
    images = [(masks([0, 0, 1, 1]), masks([0, 0, 0, 1]))]
    _, scores = evaluated(ClassIoUMetric('mFscore'), images)
    assert scores['mIoU'] == pytest.approx(100 * (2 / 3 + 1 / 2) / 2, abs=0.01)
    assert scores['mPrecision'] == pytest.approx(75, abs=0.01)


def test_scores_by_hand():
    scores = class_scores(np.array([[2, 1, 0], [0, 1, 2], [0, 0, 0]]), CLASSES)
    wanted = [
        {'class': 'sky', 'IoU': 200 / 3, 'recall': 200 / 3, 'precision': 100, 'share': 50},
        {'class': 'road', 'IoU': 25, 'recall': 100 / 3, 'precision': 50, 'share': 50},
        {'class': 'car', 'IoU': 0, 'recall': nan, 'precision': 0, 'share': 0},
    ]
    for row, expected in zip(scores, wanted, strict=True):
        assert row.pop('class') == expected.pop('class')
        assert row == pytest.approx(expected, nan_ok=True)


def test_a_class_in_neither_truth_nor_prediction_has_no_iou():
    (_, absent) = class_scores(np.array([[5, 0], [0, 0]]), ('sky', 'road'))
    assert np.isnan([absent['IoU'], absent['recall'], absent['precision']]).all()
    assert absent['share'] == 0


def test_means_are_those_of_mmseg(random_images):
    metric, means = evaluated(ClassIoUMetric(), random_images)
    _, wanted = evaluated(IoUMetric(), random_images)
    assert means == pytest.approx(wanted)
    assert means['mIoU'] == pytest.approx(np.mean(list(metric.per_class.values())), abs=0.01)
    assert means['mAcc'] == pytest.approx(np.mean([r['recall'] for r in metric.scores]), abs=0.01)


def test_iou_of_each_class_is_that_of_mmseg(random_images):
    metric, _ = evaluated(ClassIoUMetric(), random_images)
    areas = [IoUMetric.intersect_and_union(*pair, len(CLASSES), 255) for pair in random_images]
    intersection, union, *_ = (sum(parts) for parts in zip(*areas, strict=True))
    wanted = dict(zip(CLASSES, (100 * intersection / union).tolist(), strict=True))
    assert metric.per_class == pytest.approx(wanted)


def test_confusion_counts_every_pair_of_truth_and_prediction(random_images):
    metric, _ = evaluated(ClassIoUMetric(), random_images)
    wanted = np.zeros((3, 3), int)
    for prediction, truth in random_images:
        for found, true in zip(prediction.ravel().tolist(), truth.ravel().tolist(), strict=True):
            if true != 255:
                wanted[true, found] += 1
    assert metric.confusion.tolist() == wanted.tolist()


def test_images_that_a_distributed_sampler_repeats_count_once(random_images):
    metric, _ = evaluated(ClassIoUMetric(), random_images[:2])
    repeated = [*random_images[:2], random_images[0]]
    same, _ = evaluated(ClassIoUMetric(), repeated, size=2)
    assert same.confusion.tolist() == metric.confusion.tolist()


def test_more_pixels_than_a_float_can_count_are_counted():
    metric = ClassIoUMetric()
    metric.dataset_meta = {'classes': ('sky', 'road')}
    metric.compute_metrics([torch.tensor([[2**25 + 1, 0], [1, 1]])] * 3)
    assert metric.confusion.tolist() == [[3 * (2**25 + 1), 0], [3, 3]]
    assert metric.per_class['road'] == 50


def test_an_image_of_void_alone_counts_for_nothing(random_images):
    prediction, truth = random_images[0]
    metric, _ = evaluated(ClassIoUMetric(), [(prediction, truth), (prediction, truth * 0 + 255)])
    assert metric.confusion.sum() == (truth != 255).sum()


def test_a_mask_with_a_strange_class_is_an_error():
    with pytest.raises(ValueError, match=r'class ids \[0, 7\], expected 0 to 2 or 255 for void'):
        evaluated(ClassIoUMetric(), [(masks([0, 1]), masks([0, 7]))])


def test_classes_in_truth_or_prediction_count_for_the_mean_and_those_in_neither_do_not():
    # Class 0 is in both, 1 in the truth only, 2 in the prediction only, 3 in neither.
    confusion = np.array([[6, 0, 2, 0], [2, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]])
    assert mean_iou(confusion) == pytest.approx(100 * (6 / 10 + 0 / 2 + 0 / 2) / 3)
    assert np.isnan(mean_iou(np.zeros((2, 2), int)))
    areas = [torch.tensor([hits, union, predicted, truth]) for hits, union, predicted, truth in
             [(6, 10, 8, 8), (0, 2, 0, 2), (0, 2, 2, 0), (0, 0, 0, 0)]]  # fmt: skip
    metrics = IoUMetric.total_area_to_metrics(*torch.stack(areas).T.double(), metrics=['mIoU'])
    assert mean_iou(confusion) == pytest.approx(100 * np.nanmean(metrics['IoU']))


def test_a_prediction_beyond_the_classes_is_an_error():
    with pytest.raises(ValueError, match=r'label map with class ids \[4\], expected 0 to 3;'):
        confusion_matrix(masks([4]), masks([0]), 4)


def test_a_data_set_without_a_list_of_classes_is_an_error_before_any_image():
    with pytest.raises(ValueError, match='no list of classes: write metainfo=dict'):
        ClassIoUMetric().dataset_meta = {}
