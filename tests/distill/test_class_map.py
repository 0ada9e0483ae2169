import re
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config

from segkd_mm.distill.class_map import ClassMap, class_names
from segkd_mm.labels import UNLABELLED, VOID
from segkd_mm.losses import functional

CLASS_MAPS = Path(__file__).parents[2] / 'configs' / '_base_' / 'class_maps'


def lettered(student, teacher, mapping=None, drop=()):
    """A map of classes which are letters."""
    return ClassMap(list(student), list(teacher), mapping, drop)


def logits(*probabilities):
    """[1, C, 1, N]: the logits of N pixels, given their probabilities, less a number of each."""
    values = torch.tensor(probabilities).log() - 3 * torch.arange(len(probabilities))[:, None]
    return values.T[None, :, None]


def probabilities(x):
    """The softmax of every pixel of [1, C, 1, N] in float64, rows of N."""
    x = np.exp(x.double().numpy()[0, :, 0].T)
    return x / x.sum(1, keepdims=True)


def test_a_merged_class_has_the_sum_of_its_probabilities():
    classes = ClassMap(['vehicle', 'road'], ['car', 'road', 'bus'], {'vehicle': ['car', 'bus']})
    student, teacher, _ = classes(logits([0.3, 0.7], [0.9, 0.1]),
                                  logits([0.1, 0.2, 0.7], [0.5, 0.4, 0.1]), None)  # fmt: skip
    assert probabilities(student) == pytest.approx(np.array([[0.3, 0.7], [0.9, 0.1]]))
    assert probabilities(teacher) == pytest.approx(np.array([[0.8, 0.2], [0.6, 0.4]]))


def test_merging_is_the_sum_in_probability_space_for_random_logits():
    classes = lettered('abc', 'uvwxyz', {'a': ['z', 'u'], 'b': 'v', 'c': ['x', 'w', 'y']})
    x = torch.randn(1, 6, 1, 50) * 5
    _, merged, _ = classes(torch.randn(1, 3, 1, 50), x, None)
    p = probabilities(x)
    expected = np.stack([p[:, 5] + p[:, 0], p[:, 1], p[:, 2] + p[:, 3] + p[:, 4]], 1)
    np.testing.assert_allclose(probabilities(merged), expected, rtol=1e-5)


def test_another_order_is_brought_to_the_students_without_arithmetic():
    classes = ClassMap(['sky', 'car', 'road'], ['Road', 'sky', 'car '])
    student, teacher = torch.randn(2, 3, 4, 4), torch.randn(2, 3, 2, 2)
    ours, theirs, labels = classes(student, teacher, torch.arange(3).expand(2, 1, 3))
    assert torch.equal(ours, student)
    assert torch.equal(theirs, teacher[:, [1, 2, 0]])
    assert labels.tolist() == [[[0, 1, 2]]] * 2


def test_a_class_that_the_teacher_does_not_know_is_left_out_and_void():
    classes = ClassMap(['sky', 'pole', 'road'], ['road', 'sky'], {'pole': []})
    student, teacher, labels = classes(
        logits([0.2, 0.5, 0.3]), logits([0.1, 0.9]),
        torch.tensor([[[0, 1, 2, VOID, UNLABELLED]]]),
    )  # fmt: skip
    assert probabilities(student) == pytest.approx(np.array([[0.4, 0.6]]))
    assert probabilities(teacher) == pytest.approx(np.array([[0.9, 0.1]]))
    assert labels.tolist() == [[[0, VOID, 1, VOID, UNLABELLED]]]


def test_several_student_classes_may_be_one_of_the_teacher():
    classes = ClassMap(['pedestrian', 'sky', 'bicyclist'], ['sky', 'person'],
                       {'pedestrian': 'person', 'bicyclist': ['person']})  # fmt: skip
    assert classes.groups == [((0, 2), (1,)), ((1,), (0,))]
    student, teacher, labels = classes(logits([0.1, 0.6, 0.3]), logits([0.2, 0.8]),
                                       torch.tensor([[[2, 1, 0]]]))  # fmt: skip
    assert probabilities(student) == pytest.approx(np.array([[0.4, 0.6]]))
    assert probabilities(teacher) == pytest.approx(np.array([[0.8, 0.2]]))
    assert labels.tolist() == [[[0, 1, 0]]]


def test_where_the_teacher_sees_what_is_dropped_nothing_counts():
    classes = ClassMap(['cat', 'dog'], ['background', 'cat', 'dog'], drop='background')
    seen = logits([0.6, 0.1, 0.3], [0.4, 0.45, 0.15])
    student, teacher, labels = classes(logits([0.5, 0.5], [0.1, 0.9]), seen,
                                       torch.tensor([[[0, 1, 0, UNLABELLED]]]))  # fmt: skip
    assert probabilities(teacher) == pytest.approx(np.array([[0.25, 0.75], [0.75, 0.25]]))
    assert probabilities(student) == pytest.approx(np.array([[0.5, 0.5], [0.1, 0.9]]))
    assert labels.tolist() == [[[VOID, VOID, 0, UNLABELLED]]]
    assert classes(student, seen, None)[2].tolist() == [[[VOID, UNLABELLED]]]
    # Of three labels over two pixels the middle of the second lies on their edge, counted right.
    assert classes(student, seen, torch.zeros(1, 1, 3).long())[2].tolist() == [[[VOID, 0, 0]]]


def test_without_labels_and_with_nothing_dropped_there_are_none():
    assert lettered('ab', 'ba')(torch.randn(1, 2, 1, 1), torch.randn(1, 2, 1, 1), None)[2] is None


def test_equal_models_differ_by_nothing():
    classes = lettered('abcd', 'abcd', {'a': ['a', 'b'], 'b': ['a', 'b']})
    x = torch.randn(2, 4, 8, 8) * 10
    ours, theirs, _ = classes(x, x, None)
    assert ours.shape == (2, 3, 8, 8)
    assert functional.pixel_kl(ours, theirs).item() == pytest.approx(0, abs=1e-6)


def test_the_gradient_reaches_only_the_students_shared_classes():
    classes = lettered('abcd', 'abc', {'c': ['b'], 'd': []}, 'c')
    student, teacher = torch.randn(1, 4, 3, 3, requires_grad=True), torch.randn(1, 3, 3, 3)
    ours, theirs, _ = classes(student, teacher, None)
    functional.pixel_kl(ours, theirs).backward()
    reached = student.grad.abs().sum((0, 2, 3)) > 0
    assert reached.tolist() == [True, True, True, False]


@pytest.mark.parametrize('dtype', [torch.float32, torch.float16, torch.bfloat16])
def test_extreme_logits_stay_finite(dtype):
    classes = lettered('ab', 'abcd', {'a': ['a', 'c']}, ['d'])
    extreme = torch.tensor([6e4, -6e4, 6e4, -6e4], dtype=dtype)
    student = extreme[:2].view(1, 2, 1, 1).requires_grad_()
    for order in ([0, 1, 2, 3], [1, 0, 3, 2]):
        teacher = extreme[order].view(1, 4, 1, 1)
        ours, theirs, _ = classes(student, teacher, torch.zeros(1, 2, 2, dtype=torch.int64))
        assert theirs.dtype == torch.float32
        assert ours.isfinite().all() and theirs.isfinite().all()
        functional.pixel_kl(ours, theirs).backward()
        assert student.grad.isfinite().all()


def test_no_checkpoint_holds_it_and_it_moves_with_its_term():
    classes = lettered('ab', 'ba')
    assert not classes.state_dict() and not list(classes.parameters())
    moved = classes.to('meta')
    assert moved(*[torch.zeros(1, 2, 1, 1, device='meta')] * 2, None)[0].device.type == 'meta'


@pytest.mark.parametrize(
    ('arguments', 'said'),
    [
        (('abc', 'ab'), ["teacher has not by name .*: 'c'"]),
        (('ab', 'abc'), ["no student class uses .*: 'c'"]),
        (('ab', 'ab', {'A ': 'b', 'x': 'y'}),
         ["no class of the student: 'x'", "no class of the teacher: 'y'", "uses .*: 'a'"]),
        (('ab', 'ab', None, ['b', 'z']), ["drop, but no .*: 'z'", "used and dropped: 'b'"]),
        (('abc', 'uvw', {'a': ['u', 'v'], 'b': 'v', 'c': 'w'}),
         [r"in two groups .*: 'v' of \['a', 'b'\]"]),
        (('aAb', 'ab'), ["Student classes listed twice: 'a'"]),
        (('ab', 'abB'), ["Teacher classes listed twice: 'b'", "uses .*: 'b'"]),
        (('ab', 'a', {'b': []}), ['Fewer than two groups']),
        (('ab', 'c', {'a': [], 'b': []}, 'c'), ['Fewer than two groups']),
    ],
)  # fmt: skip
def test_what_does_not_map_is_listed_at_once(arguments, said):
    with pytest.raises(ValueError, match='Class map of') as error:
        lettered(*arguments)
    _, *lines = str(error.value).splitlines()
    assert len(lines) == len(said)
    assert all(re.search(expected, line) for expected, line in zip(said, lines, strict=True))


def test_a_misspelt_class_is_shown_with_those_close_to_it():
    with pytest.raises(ValueError, match=r"'roda' \(did you mean .Road"):
        ClassMap(['sky', 'roda'], ['sky', 'Road'])


def test_a_data_set_names_its_classes():
    assert class_names('CamVidDataset')[:2] == ['sky', 'building']
    assert class_names('cityscapes')[-1] == 'bicycle'
    with pytest.raises(ValueError, match=r"data set 'CamVid' \(did you mean .CamVidDataset"):
        class_names('CamVid')
    with pytest.raises(ValueError, match="no data set 'BaseSegDataset'"):
        class_names('BaseSegDataset')


@pytest.mark.parametrize(('name', 'groups'), [('cityscapes', 11), ('ade20k', 10)])
def test_the_maps_to_camvid_build_from_their_files(name, groups, tmp_path):
    config = Config.fromfile(CLASS_MAPS / f'{name}_to_camvid.py')
    config.dump(tmp_path / 'dumped.py')  # as every run does
    classes = ClassMap(**Config.fromfile(tmp_path / 'dumped.py').class_map)
    assert classes.student_channels == 11
    assert len(classes.groups) == groups
    assert classes.groups == ClassMap(**config.class_map).groups
    if name == 'cityscapes':  # car is car, truck, bus, train; no class of Cityscapes is dropped
        assert classes.groups[8] == ((8,), (13, 14, 15, 16))
        assert sorted(t for _, theirs in classes.groups for t in theirs) == list(range(19))
    else:  # pedestrian and bicyclist are person, bicycle and minibike
        assert classes.groups[9] == ((9, 10), (12, 116, 127))


def test_a_star_drops_all_that_no_student_class_uses():
    star, listed = lettered('ab', 'abcd', drop='*'), lettered('ab', 'abcd', drop=['c', 'd'])
    assert star.groups == listed.groups == [((0,), (0,)), ((1,), (1,))]
    x, y = torch.randn(1, 2, 1, 20), torch.randn(1, 4, 1, 20) * 3
    labels = torch.zeros(1, 1, 20, dtype=torch.int64)
    assert torch.equal(star(x, y, labels)[2], listed(x, y, labels)[2])
