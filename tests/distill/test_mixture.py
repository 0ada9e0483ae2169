import math

import pytest
import torch

from segkd_mm.distill.mixture import Mixture


def probabilities(*pixels):
    """Logits of a row of pixels with these probabilities, at any scale: [1, C, 1, W]."""
    return torch.tensor(pixels).log().T[None, :, None] + 3


def test_one_tap_is_given_out_as_it_is():
    feature = torch.randn(1, 3, 2, 2)
    assert Mixture('term', {'a': 1.0}).target({'a': feature, 'b': torch.zeros(1)}) is feature


def test_of_several_the_probabilities_are_averaged_by_weight():
    # 3/4 and 1/4 of (0.8, 0.2) and (0.4, 0.6): (0.7, 0.3). Weights need not sum to 1.
    outputs = {'a': probabilities((0.8, 0.2)), 'b': probabilities((0.4, 0.6))}
    for weights in ({'a': 0.75, 'b': 0.25}, {'a': 3, 'b': 1}):
        target = Mixture('term', weights).target(outputs).softmax(1)
        assert target.flatten().tolist() == pytest.approx([0.7, 0.3])


def test_of_a_teacher_that_is_not_there_the_others_take_the_weight():
    mixture = Mixture('term', {'a': 3, 'b': 1})
    only = {'b': probabilities((0.4, 0.6))}
    assert mixture.is_available(only) and not mixture.is_available({})
    assert mixture.target(only).softmax(1).flatten().tolist() == pytest.approx([0.4, 0.6])


def test_maps_of_several_sizes_meet_at_the_smallest_in_each_direction():
    outputs = {'a': torch.zeros(1, 2, 4, 2), 'b': torch.zeros(1, 2, 2, 8)}
    assert Mixture('term', {'a': 1, 'b': 1}).target(outputs).shape == (1, 2, 2, 2)


def test_extreme_logits_stay_finite():
    sure, against = 1e4 * torch.eye(2).view(2, 1, 2, 1, 1)
    target = Mixture('term', {'a': 1, 'b': 1}).target({'a': sure, 'b': against})
    assert target.flatten().tolist() == pytest.approx([math.log(0.5)] * 2)


def test_other_classes_are_an_error_that_says_what_to_do():
    outputs = {'a': torch.zeros(1, 2, 1, 1), 'b': torch.zeros(1, 3, 1, 1)}
    with pytest.raises(ValueError, match=r"Term 'term'.*'a': 2, 'b': 3.*a term of its own"):
        Mixture('term', {'a': 1, 'b': 1}).target(outputs)


@pytest.mark.parametrize('weights', [{}, {'a': 0}, {'a': 1, 'b': -1}])
def test_weights_that_are_none_are_an_error(weights):
    with pytest.raises(ValueError, match=r"Term 'term': teacher is .* weights above 0"):
        Mixture('term', weights)
