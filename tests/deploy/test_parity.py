"""Exported models held against PyTorch, with numbers worked out by hand."""

import math

import pytest
import torch
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample

from segkd_mm.deploy.parity import Parity, measure_parity
from segkd_mm.formats import BOUNDS, Bounds

# Two classes, two images of 2x2; the logits have the size of the images.
LOGITS = torch.tensor([[[[4.0, 0], [0, 4]], [[0, 2], [2, 0]]]])  # labels 0 1 / 1 0
SAME = Parity(2, 0.0, 0.0, 0.0, 4.0, 50.0, 50.0)


class Model:
    """What ``compare`` needs of a model, with logits of its own for each image."""

    out_channels, align_corners = 2, False

    def __init__(self, logits):
        self.logits = logits

    def data_preprocessor(self, batch, training):
        return {'inputs': torch.stack(batch['inputs']).float()}

    def __call__(self, inputs):
        return self.logits[int(inputs.flatten()[0])]


class Runtime(Model):
    def __init__(self, outputs, kind='normalised'):
        super().__init__(outputs)
        self.metadata = {'input': kind}
        self.seen = []

    def __call__(self, images):
        self.seen.append(images.dtype)
        return super().__call__(images)


def sample(number, truth=None):
    data = SegDataSample()
    if truth is not None:
        data.gt_sem_seg = PixelData(data=torch.tensor([truth]))
    return {'inputs': torch.full((3, 2, 2), number, dtype=torch.uint8), 'data_samples': data}


def test_the_same_model_differs_in_nothing():
    found = measure_parity(
        Model([LOGITS]), Runtime([LOGITS.clone()]), [sample(0, [[0, 1], [1, 0]])]
    )
    assert found == Parity(1, 0.0, 0.0, 0.0, 4.0, 100.0, 100.0)
    assert all(found.violations(bounds) == [] for bounds in BOUNDS.values())


def test_an_image_that_was_resized_is_compared_with_its_mask():
    large = torch.tensor([[0, 1], [1, 0]]).repeat_interleave(3, 0).repeat_interleave(4, 1)
    found = measure_parity(Model([LOGITS]), Runtime([LOGITS]), [sample(0, large.tolist())])
    assert (found.torch_miou, found.miou) == (100.0, 100.0)


def test_differences_add_up_over_images():
    changed = LOGITS.clone()
    changed[0, 1, 0, 0] = 5  # class 1 at one pixel of eight; one logit of sixteen, by 5
    truths = [[0, 1], [1, 0]], [[0, 1], [255, 0]]
    found = measure_parity(
        Model([LOGITS, LOGITS]),
        Runtime([LOGITS, changed]),
        [sample(number, truth) for number, truth in enumerate(truths)],
    )
    assert (found.images, found.labels_differ) == (2, 1 / 8)
    assert (found.max_difference, found.mean_difference) == (5, 5 / 16)
    assert found.largest_logit == 4
    assert found.torch_miou == 100
    # Class 0: 3 of 4 pixels, none beside; class 1: 3 found, 1 of class 0 beside them. Void is out.
    assert found.miou == pytest.approx(100 * (3 / 4 + 3 / 4) / 2)


def test_labels_are_compared_where_there_are_no_logits():
    found = measure_parity(
        Model([LOGITS]), Runtime([torch.tensor([[[0, 1], [1, 1]]])]), [sample(0)]
    )
    assert found == Parity(1, 1 / 4, None, None, 4.0, None, None)


@pytest.mark.parametrize(('kind', 'dtype'), [('image', torch.uint8), ('normalised', torch.float32)])
def test_a_model_gets_what_it_takes(kind, dtype):
    runtime = Runtime([LOGITS], kind)
    measure_parity(Model([LOGITS]), runtime, [sample(0)])
    assert runtime.seen == [dtype]


@pytest.mark.parametrize(
    ('change', 'bounds', 'said'),
    [
        (dict(labels_differ=2e-4), BOUNDS['fp32'], ['0.02 % of the labels differ']),
        (dict(labels_differ=1e-4), BOUNDS['fp32'], []),
        (dict(max_difference=0.005), BOUNDS['fp32'], ['a logit differs by 0.0013 of the largest']),
        (dict(max_difference=0.003), BOUNDS['fp32'], []),
        (dict(max_difference=math.nan), BOUNDS['fp32'], ['a logit differs by nan of the largest']),
        (dict(max_difference=None), BOUNDS['fp32'], []),
        (dict(labels_differ=0.006), BOUNDS['bf16'], ['0.6 % of the labels differ']),
        (dict(labels_differ=0.004, max_difference=1.0), BOUNDS['bf16'], []),
        (dict(miou=48.9), BOUNDS['int8'], ['mIoU falls from 50.00 to 48.90']),
        (dict(miou=49.1, labels_differ=0.5), BOUNDS['int8'], []),
        (dict(miou=49.1), Bounds(drop=0.5), ['mIoU falls from 50.00 to 49.10']),
        (dict(miou=math.nan), BOUNDS['int8'], ['mIoU falls from 50.00 to nan']),
    ],
)
def test_what_lies_outside_the_bounds_is_said(change, bounds, said):
    assert Parity(**{**vars(SAME), **change}).violations(bounds) == said


def test_bounds_are_said_in_words():
    assert str(BOUNDS['fp32']) == (
        'at most 0.01 % of the labels differ, no logit by more than 0.001 of the largest'
    )
    assert str(BOUNDS['bf16']) == 'at most 0.5 % of the labels differ'
    assert str(BOUNDS['int8']) == 'mIoU at most 1 points lower'
