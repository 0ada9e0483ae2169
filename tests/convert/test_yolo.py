"""YOLO's text files: polygons, names, and all that is refused."""

import pytest

from segkd_mm.convert.yolo import read_names, read_yolo
from segkd_mm.datasets import DataLayoutError, SampleError

NAMES = ['road', 'car']
# Of 6 x 4 pixels the columns 0 to 2 and the rows 1 and 2.
BLOCK = '0 0.25 0.5 0.25 0.5 0.75 0 0.75'


@pytest.fixture
def read(tmp_path, images, write):
    def call(text, name='a.txt'):
        write(tmp_path / 'labels' / name, text)
        return read_yolo(tmp_path / 'labels', images, NAMES)

    return call


def test_polygons_are_shares_of_the_width_and_height(read, mask_of):
    found = read(f'1 {BLOCK}\n')
    assert mask_of(found) == ['000000', '222000', '222000', '000000']
    assert found.images[0].names == ['car']


@pytest.mark.parametrize('order', [1, -1])
def test_the_smaller_of_two_that_overlap_is_on_top(read, mask_of, order):
    lines = ['0 0 0 1 0 1 1 0 1', f'1 {BLOCK}'][::order]
    assert mask_of(read('\n'.join(lines))) == ['111111', '222111', '222111', '111111']


def test_images_without_lines_or_file_are_background(read, images, add_image, mask_of):
    add_image(images / 'sub/b.png')
    found = read('\n')
    assert [mask_of(found, i) for i in range(2)] == [['000000'] * 4] * 2
    assert [str(image.path) for image in found.images] == ['a.jpg', 'sub/b.png']
    assert found.notes == ['1 images have no text file, that is no objects.']


def test_the_list_of_names_beside_the_labels_is_no_label(tmp_path, read, write):
    write(tmp_path / 'labels/classes.txt', 'road\ncar\n')
    assert len(read(f'1 {BLOCK}').images) == 1


@pytest.mark.parametrize(
    ('line', 'match'),
    [
        ('1 0.5 0.5 0.2 0.2', 'found a box, .*export the labels as segmentation'),
        ('1 0.1 0.1 0.2', 'expected CLASS x1 y1'),
        ('1', 'found 0 points'),
        ('1 0.1 0.1', 'found 1 points, expected at least 3'),
        ('car 0.1 0.1 0.2 0.2 0.3 0.3', 'expected CLASS x1 y1'),
        ('2 0.1 0.1 0.2 0.2 0.3 0.3', r'found the class 2, expected 0 to 1 \(road, car\)'),
        ('-1 0.1 0.1 0.2 0.2 0.3 0.3', 'expected CLASS'),
        ('0.5 0.1 0.1 0.2 0.2 0.3 0.3', 'found the class 0.5'),
        ('1 10 10 20 10 20 20', 'expected coordinates from 0 to 1'),
        ('1 nan 0.1 0.2 0.2 0.3 0.3', 'NaN or infinity'),
        ('1 inf 0.1 0.2 0.2 0.3 0.3', 'expected coordinates from 0 to 1'),
    ],
)
def test_a_line_that_cannot_be_right_is_named(read, line, match):
    with pytest.raises(SampleError, match=r'a.txt: line 2: .*' + match):
        read(f'1 {BLOCK}\n{line}\n')


def test_a_file_without_an_image_is_named(read):
    with pytest.raises(SampleError, match=r'sub/b.txt: found no image sub/b\.\* in .*images'):
        read('', 'sub/b.txt')


def test_a_turned_image_is_refused_as_there_is_no_size(read, images, add_image):
    add_image(images / 'a.jpg', orientation=6)
    with pytest.raises(SampleError, match='EXIF orientation 6'):
        read('')


def test_a_file_that_is_no_text_is_named(tmp_path, read, images):
    read('')
    (tmp_path / 'labels/a.txt').write_bytes(b'\xff\xfe\x00')
    with pytest.raises(SampleError, match=r'a.txt: found no text'):
        read_yolo(tmp_path / 'labels', images, NAMES)


@pytest.mark.parametrize(
    'text', ['names: [road, car]', 'path: x\ntrain: images\nnames:\n  0: road\n  1: car\n']
)
def test_names_of_a_data_yaml(tmp_path, write, text):
    assert read_names(write(tmp_path / 'data.yaml', text)) == NAMES


@pytest.mark.parametrize('text', ['nc: 2', 'names: {0: a, 2: b}', 'names: road', '[1]', '', '{'])
def test_a_data_yaml_without_names_is_named(tmp_path, write, text):
    with pytest.raises(SampleError, match=r'data.yaml: found'):
        read_names(write(tmp_path / 'data.yaml', text))
    with pytest.raises(DataLayoutError, match=r'other.yaml does not exist'):
        read_names(tmp_path / 'other.yaml')
