"""Masks of Pascal VOC: palettes, void, names by id, and what is refused."""

import numpy as np
import pytest
from PIL import Image

from segkd_mm.convert.voc import read_voc
from segkd_mm.convert.writing import voc_palette
from segkd_mm.datasets import SampleError

IDS = np.array([[0, 0, 1, 1, 2, 255]] * 4, np.uint8)
NAMES = ['background', 'cat', 'dog']


@pytest.fixture
def save(tmp_path):
    """Save a mask as VOC has it: a PNG with VOC's palette."""

    def write(ids=IDS, name='a.png'):
        path = tmp_path / 'SegmentationClass' / name
        path.parent.mkdir(exist_ok=True)
        image = Image.fromarray(ids)
        if ids.ndim == 2:
            image.putpalette(voc_palette().tobytes())
        image.save(path)
        return path.parent

    return write


def test_ids_and_void_stay_as_they_are(save, images, mask_of):
    found = read_voc(save(), images, NAMES)
    assert mask_of(found) == ['00112-'] * 4
    assert (found.images[0].names, found.overlaps, found.notes) == (None, None, [])


def test_an_id_can_be_void(save, images, mask_of):
    assert mask_of(read_voc(save(), images, ['void', 'cat', 'dog'])) == ['--001-'] * 4


def test_images_without_a_mask_are_left_out(save, images, add_image):
    add_image(images / 'b.jpg')
    found = read_voc(save(), images, NAMES)
    assert found.notes == ['1 images have no mask and were left out.']
    assert len(found.images) == 1


def test_a_mask_of_stored_pixels_is_turned_like_its_image(save, images, add_image, mask_of):
    add_image(images / 'a.jpg', orientation=6)  # 4 x 6 upright; the top is then at the right
    found = read_voc(save(), images, NAMES)
    assert mask_of(found) == ['0000', '0000', '1111', '1111', '2222', '----']


def test_the_palette_is_that_of_voc():
    assert voc_palette()[[0, 1, 2, 20, 255]].tolist() == [
        [0, 0, 0], [128, 0, 0], [0, 128, 0], [0, 64, 128], [224, 224, 192],
    ]  # fmt: skip


@pytest.mark.parametrize(
    ('ids', 'match'),
    [
        (IDS + np.uint8(1), r'found the ids 3 \(4 pixels\), expected 0 to 2, 255'),
        (IDS[:3], 'found 6 x 3 pixels, expected 6 x 4'),
        (np.stack([IDS, IDS * 2, IDS], -1), 'expected one channel of class ids'),
    ],
)
def test_a_mask_that_cannot_be_right_is_named(save, images, mask_of, ids, match):
    with pytest.raises(SampleError, match=r'SegmentationClass/a.png: .*' + match):
        mask_of(read_voc(save(ids), images, NAMES))


def test_a_mask_without_an_image_is_named(save, images):
    with pytest.raises(SampleError, match=r'b.png: found no image b\.\* in'):
        read_voc(save(name='b.png'), images, NAMES)
