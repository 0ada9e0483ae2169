"""Classes from the command line, held against the values in the masks."""

import json
from collections import Counter

import pytest

from segkd_mm.scaffold import Survey, classes_of


def found(values, masks='masks'):
    return Survey(
        images='images', masks=str(masks), is_mixed=False, by_folders=False, seed=0, num_train=8,
        num_val=2, num_unlabelled=0, sizes=[(64, 48)], values=Counter(values),
    )  # fmt: skip


def test_ids_of_the_classes_need_no_options():
    classes = classes_of(['sky', 'road', 'car'], found({0: 6, 1: 3, 255: 1}))
    assert classes.names == ['sky', 'road', 'car']
    assert classes.pixels == {'sky': 6, 'road': 3, 'car': 0}
    assert classes.void == 1
    assert classes.options == {}


def test_other_ids_are_mapped_and_merged():
    classes = classes_of(['road=7', 'car=26', 'car=27', 'void=0'], found({0: 1, 7: 2, 27: 3}))
    assert classes.options == {'label_map': {7: 'road', 26: 'car', 27: 'car', 0: 'void'}}
    assert classes.pixels == {'road': 2, 'car': 3}


def test_0_and_255_are_two_classes_where_there_are_two():
    classes = classes_of(['background', 'car'], found({0: 4, 255: 2}))
    assert classes.options == {'label_map': {0: 'background', 255: 'car'}}
    assert classes.pixels == {'background': 4, 'car': 2}
    assert classes.void == 0


def test_colours_are_named_and_merged():
    values = {(0, 0, 142): 5, (0, 0, 143): 2, (1, 1, 1): 1}
    entries = ['car=0,0,142', 'sky=9,9,9', 'car=0,0,143', 'void=1,1,1']
    classes = classes_of(entries, found(values))
    assert classes.options == {
        'colors': {'car': [(0, 0, 142), (0, 0, 143)], 'sky': (9, 9, 9), 'void': (1, 1, 1)}
    }
    assert classes.pixels == {'car': 7, 'sky': 0}


def test_the_names_that_convert_wrote_are_taken(tmp_path):
    (tmp_path / 'classes.json').write_text(json.dumps({'classes': ['sky', 'road']}))
    data = found({0: 1, 1: 1}, tmp_path / 'masks')
    assert classes_of([], data).names == classes_of(['sky', 'road'], data).names == ['sky', 'road']
    assert classes_of(['road=0', 'sky=1'], data).names == ['road', 'sky']
    with pytest.raises(
        ValueError, match=r"gives 'road' the id 0, classes\.json beside the masks 1"
    ):
        classes_of(['road', 'sky'], data)


@pytest.mark.parametrize(
    ('entries', 'values', 'message'),
    [
        ([], {0: 3, 2: 1}, r'--classes is missing\. The masks hold 0 \(75.0%\), 2 \(25.0%\)'),
        ([], {0: 3, 2: 1}, r'--classes class_0=0 class_1=2$'),
        (['sky', 'road'], {0: 1, 2: 1}, r'the values 2 \(50.0%\), which are no class'),
        (['sky', 'road'], {0: 1, 2: 1}, r'--classes sky=0 class_1=2$'),
        (['sky=0'], {0: 1, 255: 1, 3: 2}, r'values 3 \(50.0%\)'),
        (['sky=0,0,0', 'car=1,1,1'], {(0, 0, 0): 1, (2, 2, 2): 1}, r'values 2,2,2 \(50.0%\)'),
        (['sky=0', 'road'], {0: 1}, r"\['road'\] without a value"),
        (['sky=0', 'road=0'], {0: 1}, r'the same value twice'),
        (['sky', 'road', 'car'], {255: 4}, r'hold no pixel of sky, road, car'),
        (['sky=x'], {0: 1}, r"the value 'x', expected an id such as 7 or a colour"),
    ],
)
def test_what_is_no_class_is_an_error_with_the_option_to_give(entries, values, message):
    with pytest.raises(ValueError, match=message):
        classes_of(entries, found(values))
