"""Label maps of an exported graph, against upsampling and argmax of all classes."""

import pytest
import torch
import torch.nn.functional as F

from segkd_mm.deploy.graph_labels import _candidates, graph_label_map


@pytest.mark.parametrize('align_corners', [False, True])
@pytest.mark.parametrize('size', [(1, 1), (1, 5), (4, 1), (6, 7)])
def test_labels_are_those_of_all_classes(size, align_corners):
    generator = torch.Generator().manual_seed(sum(size))
    logits = torch.randn(2, 9, *size, generator=generator, dtype=torch.float64)
    for target in [(17, 23), size, (3, 2)]:
        expected = F.interpolate(logits, target, None, 'bilinear', align_corners).argmax(1)
        assert torch.equal(graph_label_map(logits, target, align_corners), expected)


def test_a_class_that_is_second_at_all_corners_may_be_the_label_between_them():
    left, right, between, below = [[5.0, 0.0]], [[0.0, 5.0]], [[4.5, 4.5]], [[4.4, -1.0]]
    logits = torch.tensor([[left, right, between, below]])
    assert graph_label_map(logits, (1, 6), True).tolist() == [[[0, 2, 2, 2, 2, 1]]]
    assert _candidates(logits).tolist() == [True, True, True, False]


def test_logits_that_are_not_finite_still_give_labels():
    logits = torch.full((1, 3, 2, 2), torch.nan)
    assert graph_label_map(logits, (4, 4), False).shape == (1, 4, 4)
