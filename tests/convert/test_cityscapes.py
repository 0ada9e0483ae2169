"""Polygons of Cityscapes: their order, groups, what is not drawn, and what is refused."""

import pytest

from segkd_mm.convert.annotated import class_list
from segkd_mm.convert.cityscapes import LABELS, read_cityscapes
from segkd_mm.datasets import SampleError

NAME = 'ulm/ulm_000000_000019'
ALL = [[0, 0], [5, 0], [5, 3], [0, 3]]
SQUARE = [[1, 1], [4, 1], [4, 2], [1, 2]]


def polygon(label, points, **more):
    return {'label': label, 'polygon': points, **more}


@pytest.fixture
def read(tmp_path, write, add_image):
    def call(*objects, all_labels=False, **changes):
        add_image(tmp_path / f'leftImg8bit/{NAME}_leftImg8bit.png')
        content = {'imgHeight': 4, 'imgWidth': 6, 'objects': list(objects), **changes}
        write(tmp_path / f'gtFine/{NAME}_gtFine_polygons.json', content)
        return read_cityscapes(tmp_path / 'gtFine', tmp_path / 'leftImg8bit', all_labels)

    return call


def test_later_polygons_are_on_top_whatever_their_area(read, mask_of):
    small_first = read(polygon('car', SQUARE), polygon('road', ALL))
    assert mask_of(small_first) == ['000000'] * 4
    large_first = read(polygon('road', ALL), polygon('sidewalk', SQUARE))
    assert mask_of(large_first) == ['000000', '011110', '011110', '000000']
    assert str(large_first.images[0].path) == f'{NAME}_leftImg8bit.png'


def test_labels_without_a_train_id_cover_as_void(read, mask_of):
    found = read(polygon('road', ALL), polygon('ego vehicle', SQUARE))
    assert mask_of(found) == ['000000', '0----0', '0----0', '000000']
    assert mask_of(found, chosen=['ego vehicle'])[1] == '-0000-'


def test_classes_are_those_of_mmseg_and_all_labels_have_their_official_ids(read, mask_of):
    from mmseg.utils import cityscapes_classes

    assert class_list(read(), None, 'void') == list(cityscapes_classes())
    found = read(polygon('ground', SQUARE), all_labels=True)
    assert class_list(found, None, found.unlabelled) == list(LABELS)
    assert (LABELS.index('road'), LABELS.index('bicycle')) == (7, 33)
    assert mask_of(found) == ['000000', '066660', '066660', '000000']


def test_groups_count_as_their_class_and_some_are_not_drawn(read, mask_of):
    found = read(
        polygon('road', ALL),
        polygon('sidewalkgroup', SQUARE, deleted=0),
        polygon('car', ALL, deleted=1),
        polygon('license plate', ALL),
    )
    assert mask_of(found) == ['000000', '011110', '011110', '000000']
    assert found.images[0].names == ['road', 'sidewalk']
    assert mask_of(read(polygon('polegroup', ALL), all_labels=True))[0] == '18' * 6


def test_pixels_without_a_polygon_are_void(read, mask_of):
    assert mask_of(read(polygon('road', SQUARE)))[1] == '-0000-'
    assert mask_of(read(polygon('road', SQUARE)), unlabelled='other')[1] == '011110'


@pytest.mark.parametrize(
    ('objects', 'match'),
    [
        ([polygon('rood', ALL)], r"objects\[0\]: found the label 'rood', .*did you mean 'road'"),
        ([polygon('road', ALL[:2])], 'found 2 points'),
        ([polygon('road', [[9, 9], [10, 9], [10, 10]])], 'points from'),
        ([polygon('road', None)], "found no 'polygon'"),
    ],
)
def test_a_polygon_that_cannot_be_right_is_named(read, objects, match):
    with pytest.raises(SampleError, match=r'gtFine_polygons.json: .*' + match):
        read(*objects)


def test_another_size_and_a_missing_image_are_named(tmp_path, read):
    with pytest.raises(SampleError, match='found the size 12 x 4, expected 6 x 4'):
        read(imgWidth=12)
    read()
    (tmp_path / f'leftImg8bit/{NAME}_leftImg8bit.png').rename(tmp_path / 'leftImg8bit/x.png')
    with pytest.raises(SampleError, match=rf'found no image {NAME}_leftImg8bit\.\* in'):
        read_cityscapes(tmp_path / 'gtFine', tmp_path / 'leftImg8bit', False)
