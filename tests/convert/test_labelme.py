"""labelme's JSON files: its shapes, images beside them or inside, and all that is refused."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from segkd_mm.convert.labelme import read_labelme
from segkd_mm.datasets import DataLayoutError, SampleError

SQUARE = [[1, 1], [4, 1], [4, 3], [1, 3]]


def shape(points, kind='polygon', label='car', mask=None):
    return {
        'label': label, 'points': points, 'group_id': None, 'description': '',
        'shape_type': kind, 'flags': {}, 'mask': mask,
    }  # fmt: skip


def content(*shapes, **changes):
    """As labelme 5 writes it."""
    return {
        'version': '5.5.0', 'flags': {}, 'shapes': list(shapes), 'imagePath': 'a.jpg',
        'imageData': None, 'imageHeight': 4, 'imageWidth': 6, **changes,
    }  # fmt: skip


def in_base64(pixels, kind='PNG'):
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, kind)
    return base64.b64encode(stream.getvalue()).decode()


@pytest.fixture
def read(images, write):
    """Read one file beside the image, as labelme saves it."""

    def call(*shapes, **changes):
        write(images / 'a.json', content(*shapes, **changes))
        return read_labelme(images, images)

    return call


@pytest.mark.parametrize(
    ('one', 'expected'),
    [
        # Unlike COCO, labelme takes the pixels that an outline touches.
        (shape(SQUARE), ['000000', '011110', '011110', '011110']),
        (shape([[3, 2], [1, 1]], 'rectangle'), ['000000', '011100', '011100', '000000']),
        (shape(SQUARE, 'oriented_rectangle'), ['000000', '011110', '011110', '011110']),
        (shape([[2, 2], [2, 1]], 'circle'), ['000000', '001000', '011100', '001000']),
        (
            shape([[4, 2], [5, 3]], 'mask', mask=in_base64(np.array([[1, 0], [1, 1]], np.uint8))),
            ['000000', '000000', '000010', '000011'],
        ),
    ],
)
def test_shapes_are_drawn_as_labelme_draws_them(read, mask_of, one, expected):
    assert mask_of(read(one)) == expected


def test_a_shape_of_an_old_file_is_a_polygon(read, mask_of):
    old = {'label': 'car', 'points': SQUARE, 'line_color': None, 'fill_color': None}
    found = read(old, imageHeight=None, imageWidth=None)
    assert mask_of(found) == ['000000', '011110', '011110', '011110']


@pytest.mark.parametrize('order', [1, -1])
def test_the_smaller_of_two_that_overlap_is_on_top(read, mask_of, order):
    both = [shape([[0, 0], [5, 3]], 'rectangle', 'road'), shape([[2, 2], [2, 1]], 'circle')]
    found = read(*both[::order])
    assert found.names == ['car', 'road']  # sorted
    assert mask_of(found) == ['222222', '221222', '211122', '221222']


def test_the_special_labels_of_labelme(read, mask_of):
    found = read(
        shape([[0, 0], [5, 3]], 'rectangle', 'road'),
        shape([[0, 0], [1, 0]], 'rectangle', '__ignore__'),
        shape([[0, 1], [1, 1]], 'rectangle', '_background_'),
    )
    assert mask_of(found) == ['--1111', '001111', '111111', '111111']


def test_paths_are_relative_to_the_file_or_to_the_images(tmp_path, images, write, add_image):
    add_image(images / 'b/c.jpg')
    write(tmp_path / 'labels/1.json', content(imagePath='..\\images\\a.jpg'))
    write(tmp_path / 'labels/2.json', content(imagePath='b/c.jpg'))
    found = read_labelme(tmp_path / 'labels', images)
    assert [str(image.path) for image in found.images] == ['a.jpg', 'b/c.jpg']
    assert found.notes == []


def test_images_without_a_file_are_left_out_and_counted(read, images, add_image):
    add_image(images / 'b.jpg')
    found = read(shape(SQUARE))
    assert len(found.images) == 1
    assert 'images in' in found.notes[0] and found.notes[0].startswith('1 ')


def test_the_image_inside_is_used_where_the_file_is_missing(read, images, mask_of):
    data = in_base64(np.zeros((4, 6, 3), np.uint8), 'JPEG')
    assert read(shape(SQUARE), imageData=data).images[0].image == images / 'a.jpg'
    (images / 'a.jpg').unlink()
    found = read(shape(SQUARE), imageData=data, imagePath='C:\\elsewhere\\z.bmp')
    assert found.images[0].image == base64.b64decode(data)
    assert str(found.images[0].path) == 'a.jpg'
    assert mask_of(found)[1] == '011110'


@pytest.mark.parametrize(
    ('changes', 'match'),
    [
        ({'imagePath': 'b.jpg'}, "imagePath 'b.jpg', and no imageData, expected the path of a"),
        ({'imagePath': '../../x.jpg'}, "imagePath '../../x.jpg', and no imageData"),
        ({'imagePath': '/etc/x.jpg'}, "imagePath '/etc/x.jpg', and no imageData"),
        ({'imagePath': 'b.jpg', 'imageData': '??'}, 'imageData that is no base64'),
        ({'imagePath': 'b.jpg', 'imageData': 'AAAA'}, '3 bytes that cannot be read'),
        ({'imagePath': None}, "found no 'imagePath'"),
        ({'imageHeight': 6, 'imageWidth': 4}, 'found the size 4 x 6, expected 6 x 4'),
        ({'shapes': None}, "found no 'shapes'"),
        ({'shapes': [3]}, r"shapes\[0\]: found no 'label'"),
    ],
)
def test_a_file_that_cannot_be_right_is_named(read, changes, match):
    with pytest.raises(SampleError, match=r'a\.json.*' + match):
        read(shape(SQUARE), **changes)


@pytest.mark.parametrize(
    ('one', 'match'),
    [
        (shape(SQUARE[:2]), 'found 2 points, expected at least 3'),
        (shape(SQUARE[:1], 'circle'), 'found 1 points, expected at least 2'),
        (shape([[1, 1, 1], [2, 2]]), 'expected pairs of numbers'),
        (shape([[1, float('nan')], [2, 2], [3, 3]]), 'NaN or infinity'),
        (shape(SQUARE, 'linestrip'), "shape_type 'linestrip', expected polygon.*no area"),
        (shape(SQUARE[:1], 'point'), "shape_type 'point'"),
        (shape(SQUARE, label=3), "found label=3, expected 'label' of type str"),
        (shape(SQUARE[:2], 'mask'), "found no 'mask'"),
        (shape(SQUARE[:2], 'mask', mask='AAAA'), 'a mask that cannot be decoded'),
    ],
)
def test_a_shape_that_cannot_be_right_is_named(read, one, match):
    with pytest.raises(SampleError, match=r'a\.json: shapes\[0\]: .*' + match):
        read(one)


def test_a_folder_without_files_is_named(tmp_path, images):
    with pytest.raises(DataLayoutError, match=r'it holds none, expected a folder of \*.json'):
        read_labelme(images, images)
    with pytest.raises(DataLayoutError, match='that folder does not exist'):
        read_labelme(tmp_path / 'none', images)
