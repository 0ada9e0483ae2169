"""COCO annotations: polygons, both run-length encodings, overlaps, and all that is refused."""

import pytest

from segkd_mm.convert.coco import read_coco
from segkd_mm.datasets import DataLayoutError, SampleError

# Its pixels have their centres in the columns 1 to 3 and the rows 1 and 2.
SQUARE = [1, 1, 4, 1, 4, 3, 1, 3]
ALL = [0, 0, 6, 0, 6, 4, 0, 4]


def annotation(segmentation, category=7, key=1, **more):
    return {
        'id': key, 'image_id': 1, 'category_id': category, 'segmentation': segmentation,
        'area': 6.0, 'bbox': [1, 1, 3, 2], 'iscrowd': 0, **more,
    }  # fmt: skip


def instances(*annotations, **changes):
    """As pycocotools reads them; the ids of categories have gaps, as in COCO."""
    return {
        'info': {}, 'licenses': [],
        'images': [{'id': 1, 'file_name': 'a.jpg', 'width': 6, 'height': 4}],
        'categories': [
            {'id': 7, 'name': 'car', 'supercategory': 'vehicle'},
            {'id': 3, 'name': 'road', 'supercategory': ''},
        ],
        'annotations': list(annotations), **changes,
    }  # fmt: skip


@pytest.fixture
def read(tmp_path, images, write):
    def call(*annotations, **changes):
        content = instances(*annotations, **changes)
        return read_coco(write(tmp_path / 'instances.json', content), images)

    return call


def test_a_polygon_takes_the_pixels_whose_centre_is_inside(read, mask_of):
    found = read(annotation([SQUARE]))
    assert mask_of(found) == ['000000', '022200', '022200', '000000']
    assert found.names == ['road', 'car']  # in the order of their ids
    assert found.images[0].names == ['car']
    assert mask_of(found, unlabelled='void') == ['------', '-111--', '-111--', '------']


def test_parts_of_an_object_are_joined(read, mask_of):
    corners = [[0, 0, 1, 0, 1, 1, 0, 1], [5, 3, 6, 3, 6, 4, 5, 4]]
    assert mask_of(read(annotation(corners))) == ['200000', '000000', '000000', '000002']


@pytest.mark.parametrize(
    ('counts', 'expected'),
    [
        # Down the columns: 5 pixels of none, 2 of the object, 17 of none.
        ([5, 2, 17], ['000000', '020000', '020000', '000000']),
        ([0, 1, 23], ['200000', '000000', '000000', '000000']),
        # 17 is 10001 in five bits, whose sign bit must be 0: one more character.
        ('52a0', ['000000', '020000', '020000', '000000']),
        # 5, 2, 3, then 2 as the difference to 2, and 12 as that to 3.
        ('52309', ['000000', '020000', '022000', '002000']),
    ],
)
@pytest.mark.parametrize('crowd', [0, 1])
def test_run_lengths(read, mask_of, counts, expected, crowd):
    found = read(annotation({'size': [4, 6], 'counts': counts}, iscrowd=crowd))
    assert mask_of(found) == expected


@pytest.mark.parametrize('order', [1, -1])
def test_the_smaller_of_two_that_overlap_is_on_top(read, mask_of, order):
    both = [annotation([ALL], 3, 1), annotation([SQUARE], 7, 2)][::order]
    assert mask_of(read(*both)) == ['111111', '122211', '122211', '111111']


def test_classes_are_chosen_and_what_is_left_out_still_covers(read, mask_of):
    found = read(annotation([ALL], 3, 1), annotation([SQUARE], 7, 2))
    assert mask_of(found, chosen=['road']) == ['111111', '100011', '100011', '111111']
    assert mask_of(found, chosen=['car', 'road'], unlabelled='void')[1] == '100011'
    assert mask_of(found, chosen=['road', 'background'])[1] == '011100'
    assert mask_of(found, unlabelled='road') == ['000000', '011100', '011100', '000000']
    with pytest.raises(ValueError, match=r"--classes has 'cars' \(did you mean 'car'\?\)"):
        mask_of(found, chosen=['cars'])
    with pytest.raises(ValueError, match=r"\['car'\] twice"):
        mask_of(found, chosen=['car', 'car'])


def test_categories_of_one_name_are_one_class_and_void_is_void(read, mask_of):
    names = ['void', 'car', 'car']
    categories = [{'id': i, 'name': name} for i, name in enumerate(names)]
    corner = [5, 3, 6, 3, 6, 4, 5, 4]
    found = read(
        annotation([SQUARE], 0), annotation([corner], 1), annotation([[0, 0, 1, 0, 1, 1, 0, 1]], 2),
        categories=categories,
    )  # fmt: skip
    assert mask_of(found) == ['100000', '0---00', '0---00', '000001']


def test_an_image_without_annotations_is_background(read, mask_of):
    assert mask_of(read()) == ['000000'] * 4


def test_images_in_folders_keep_them(read, images, add_image):
    add_image(images / 'b/a.jpg')
    entries = [
        {'id': 1, 'file_name': 'a.jpg', 'width': 6, 'height': 4},
        {'id': 2, 'file_name': 'b\\a.jpg', 'width': 6, 'height': 4},
    ]
    found = read(images=entries)
    assert [str(image.path) for image in found.images] == ['a.jpg', 'b/a.jpg']


def changed(**changes):
    return instances(annotation([SQUARE]))['images'][0] | changes


@pytest.mark.parametrize(
    ('segmentation', 'match'),
    [
        ([[1, 1, 4, 1]], r'found 2 points, expected at least 3'),
        ([[1, 1, 4, 1, 4]], r'found the points \[1, 1, 4, 1, 4\], expected pairs of numbers'),
        ([['a', 1, 4, 1, 4, 3]], 'expected pairs of numbers'),
        ([1, 1, 4, 1, 4, 3], 'expected pairs of numbers'),
        ([[float('nan'), 1, 4, 1, 4, 3]], 'NaN or infinity'),
        ([[float('inf'), 1, 4, 1, 4, 3]], 'NaN or infinity'),
        ([[10**400, 1, 4, 1, 4, 3]], 'expected pairs of numbers'),
        ([[7, 1, 9, 1, 9, 3]], r'points from \(7, 1\) to \(9, 3\), expected .* of \(6, 4\) pixels'),
        ([[1, 1, 1e9, 1, 4, 3]], 'points from'),
        ([], 'found no segmentation.*Boxes do not show'),
        (None, 'found no segmentation'),
        ({'size': [6, 4], 'counts': [5, 2, 17]}, r'expected one of size \[4, 6\]'),
        ({'size': [4, 6], 'counts': [5, 2, 16]}, 'add up to its 24 pixels'),
        ({'size': [4, 6], 'counts': [-1, 25]}, 'add up to its 24 pixels'),
        ({'size': [4, 6], 'counts': [1.0, 23.0]}, 'add up to its 24 pixels'),
        ({'size': [4, 6], 'counts': '52'}, 'add up to its 24 pixels'),  # pycocotools reads on
        ({'size': [4, 6], 'counts': 'zzz'}, 'add up to its 24 pixels'),
        ({'size': [4, 6]}, 'add up to its 24 pixels'),
    ],
)
def test_an_outline_that_cannot_be_right_is_named(read, segmentation, match):
    with pytest.raises(SampleError, match=rf'instances.json: annotations\[0\]: .*{match}'):
        read(annotation(segmentation))


@pytest.mark.parametrize(
    ('changes', 'match'),
    [
        ({'images': [changed(file_name='b.jpg')]}, r'images\[0\]: found no file .*b.jpg'),
        ({'images': [changed(file_name='../../x.jpg')]}, "found file_name '../../x.jpg'"),
        ({'images': [changed(file_name='/etc/x.jpg')]}, "found file_name '/etc/x.jpg'"),
        ({'images': [changed(file_name='..\\..\\x.jpg')]}, 'found file_name'),
        ({'images': [changed(width=4, height=6)]}, 'found the size 4 x 6, expected 6 x 4'),
        ({'images': [{'id': 1, 'file_name': 'a.jpg', 'width': 6}]}, "no 'height'"),
        ({'images': [changed(width='6')]}, "found width='6', expected 'width' of type int"),
        ({'images': [changed(), changed()]}, r'images\[1\]: found the id 1 again'),
        ({'images': None}, "found no 'images'"),
        ({'images': ['a.jpg']}, r"images\[0\]: found no 'id'"),
        ({'categories': [{'id': 3, 'name': 'road'}]}, 'found category_id 7, expected .* 3 .road.'),
        ({'annotations': [annotation([SQUARE], image_id=2)]}, 'found image_id 2'),
    ],
)  # fmt: skip
def test_an_entry_that_cannot_be_right_is_named(read, changes, match):
    with pytest.raises(SampleError, match=match):
        read(annotation([SQUARE]), **changes)


@pytest.mark.parametrize('text', ['', '{"images": [', '[' * 100_000, '\x00'])
def test_broken_json_is_named(tmp_path, images, write, text):
    with pytest.raises(SampleError, match=r'instances.json: found no JSON'):
        read_coco(write(tmp_path / 'instances.json', text), images)


def test_a_file_that_is_missing_is_named(tmp_path, images):
    with pytest.raises(DataLayoutError, match=r'instances.json does not exist'):
        read_coco(tmp_path / 'instances.json', images)


def test_an_image_that_cannot_be_read_is_named(read, images):
    (images / 'a.jpg').write_bytes(b'')
    with pytest.raises(SampleError, match=r'a.jpg: found 0 bytes that cannot be read'):
        read()


def test_an_image_that_the_data_set_would_not_see_is_refused(read, images):
    (images / 'a.jpg').rename(images / 'a.gif')
    with pytest.raises(SampleError, match=r'a.gif, expected a name that ends in .*jpg'):
        read(images=[changed(file_name='a.gif')])


@pytest.mark.parametrize('orientation', [6, 8])
def test_an_image_that_is_turned_when_loaded_is_annotated_upright(
    read, images, add_image, mask_of, orientation
):
    add_image(images / 'a.jpg', (4, 6), orientation)  # 6 x 4 upright
    assert mask_of(read(annotation([SQUARE])))[1] == '022200'


@pytest.mark.parametrize(
    ('stored', 'orientation'), [((6, 4), 6), ((6, 4), 3), ((6, 4), 2), ((6, 6), 6)]
)
def test_an_orientation_that_nothing_shows_is_refused(read, images, add_image, stored, orientation):
    add_image(images / 'a.jpg', stored, orientation)
    with pytest.raises(SampleError, match=rf'a.jpg: found the EXIF orientation {orientation}'):
        read(images=[changed(width=stored[0], height=stored[1])])
