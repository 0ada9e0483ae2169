"""What is written: the layout, palettes, counts, and nothing where something is wrong."""

import json

import numpy as np
import pytest
from PIL import Image

from segkd_mm.convert import writing
from segkd_mm.convert.annotated import AnnotatedImage
from segkd_mm.convert.writing import class_palette, voc_palette, write_folder
from segkd_mm.datasets import DataLayoutError, FolderDataset, SampleError

MASK = np.array([[0, 0, 1, 1, 1, 255]] * 4, np.uint8)


def annotated(images, path='a.jpg', draw=lambda *_: MASK, names=('car', 'car')):
    return AnnotatedImage(images / 'a.jpg', images.relative_to(images) / path, names, draw)


@pytest.fixture
def no_sheet(monkeypatch):
    """The contact sheet takes most of the time."""
    monkeypatch.setattr(writing, 'draw_sheet', lambda *_: None)


def test_the_folder_is_read_by_the_data_set(tmp_path, images):
    out = tmp_path / 'new/out'
    both = [annotated(images), annotated(images, 'b/a.jpg', names=('road',))]
    rows = write_folder(out, both, ['road', 'car'], 'road')
    dataset = FolderDataset(f'{out}/images', ['road', 'car'], f'{out}/masks', pipeline=[])
    assert [s['seg_map_path'] for s in dataset] == [f'{out}/masks/a.png', f'{out}/masks/b/a.png']
    assert (out / 'images/a.jpg').read_bytes() == (images / 'a.jpg').read_bytes()
    assert not (out / 'images/a.jpg').is_symlink()
    with Image.open(out / 'masks/a.png') as mask:
        assert mask.mode == 'P'
        assert np.array_equal(np.array(mask), MASK)
        assert mask.getpalette()[:6] == [0, 0, 0, 31, 119, 180]
    assert [list(row.values()) for row in rows] == [
        [0, 'road', 2, pytest.approx(100 / 3), 1],
        [1, 'car', 2, pytest.approx(50), 2],
        [255, 'void', 2, pytest.approx(100 / 6), 0],
    ]
    content = json.loads((out / 'classes.json').read_text())
    assert content['classes'] == ['road', 'car']
    assert content['palette'] == [[0, 0, 0], [31, 119, 180]]
    assert content['counts'] == rows
    with Image.open(out / 'contact_sheet.png') as sheet:
        assert sheet.width > 1000


def test_images_can_be_links_or_bytes(tmp_path, images, no_sheet):
    data = (images / 'a.jpg').read_bytes()
    inside = AnnotatedImage(data, annotated(images, 'b.jpg').path, (), lambda *_: MASK)
    write_folder(tmp_path / 'out', [annotated(images), inside], ['road', 'car'], 'road', link=True)
    assert (tmp_path / 'out/images/a.jpg').readlink() == images / 'a.jpg'
    assert (tmp_path / 'out/images/b.jpg').read_bytes() == data


def test_a_folder_with_files_is_not_touched(tmp_path, images, no_sheet):
    with pytest.raises(DataLayoutError, match='exists and is not empty'):
        write_folder(images, [annotated(images)], ['road', 'car'], 'road')
    assert [path.name for path in images.iterdir()] == ['a.jpg']
    (tmp_path / 'out').mkdir()
    write_folder(tmp_path / 'out', [annotated(images)], ['road', 'car'], 'road')
    assert (tmp_path / 'out/masks/a.png').is_file()


def test_after_an_error_there_is_nothing(tmp_path, images):
    def fail(*_):
        raise SampleError('no')

    with pytest.raises(SampleError, match='no'):
        write_folder(
            tmp_path / 'out', [annotated(images), annotated(images, 'b.jpg', fail)], ['a'], 'a'
        )
    assert [path.name for path in tmp_path.iterdir()] == ['images']


def test_two_images_of_a_name_are_refused(tmp_path, images):
    with pytest.raises(SampleError, match=r'a.png: found a.jpg as well'):
        write_folder(tmp_path / 'out', [annotated(images), annotated(images, 'a.png')], ['a'], 'a')
    with pytest.raises(DataLayoutError, match='name no images'):
        write_folder(tmp_path / 'out', [], ['a'], 'a')


def test_every_class_has_a_colour_of_its_own_up_to_twenty():
    colours = class_palette(['background', *'abcdefghijklmnopqrst'], 'background')
    assert colours[0] == [0, 0, 0]
    assert len({tuple(colour) for colour in colours}) == 21
    many = class_palette([f'{i}' for i in range(254)], 'void')
    assert len(many) == 254 and many[20] == voc_palette()[1].tolist()
