"""FolderDataset: pairing, splits, and what the values in its masks stand for."""

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from mmseg.registry import DATASETS
from PIL import Image

from segkd_mm.datasets import DataLayoutError, SampleError
from segkd_mm.datasets.folder_pairs import in_part

LOAD = [{'type': 'LoadImageFromFile'}, {'type': 'LoadCheckedAnnotations'}]
CLASSES = ['background', 'road', 'car']
IDS = np.array([[0, 1, 2], [2, 255, 0]], np.uint8)


def save(path, pixels, mode=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(pixels)
    if mode == 'P':
        image.putpalette([0, 0, 0, 128, 64, 128, 0, 0, 142])
    image.save(path)


@pytest.fixture
def folder(tmp_path):
    """Make images and masks: ``folder('a.jpg', 'b/c.png', mask=IDS)``."""

    def make(*names, mask=IDS, mode=None) -> Path:
        for name in names:
            save(tmp_path / 'images' / name, np.zeros((*mask.shape[:2], 3), np.uint8))
            save(tmp_path / 'masks' / Path(name).with_suffix('.png'), mask, mode)
        return tmp_path

    return make


def build(root, classes=CLASSES, **options):
    folders = {'images': f'{root}/images', 'masks': f'{root}/masks'}
    config = {'type': 'FolderDataset', 'classes': classes, 'pipeline': LOAD}
    return DATASETS.build({**config, **folders, **options})


def names(dataset):
    return [Path(dataset.get_data_info(i)['img_path']).stem for i in range(len(dataset))]


def only_mask(dataset):
    return dataset[0]['gt_seg_map'].tolist()


def test_pairs_are_found_at_any_depth_and_with_any_suffix(folder):
    root = folder('a.jpg', 'b/c.PNG', 'b/d/e.webp', 'f.bmp', 'g.tif', 'h.v2.jpeg')
    (root / 'masks/f.png').rename(root / 'masks/f.PNG')
    dataset = build(root)
    assert names(dataset) == ['a', 'c', 'e', 'f', 'g', 'h.v2']
    for index, sample in enumerate(dataset):
        assert sample['gt_seg_map'].tolist() == IDS.tolist()
        mask = Path(dataset.get_data_info(index)['seg_map_path'])
        assert mask.stem == names(dataset)[index]
    assert dataset.metainfo['classes'] == tuple(CLASSES)


def test_a_split_is_a_folder_below_both(folder):
    root = folder('train/a.jpg', 'train/x/b.jpg', 'val/c.jpg')
    assert names(build(root, split='train')) == ['a', 'b']
    assert names(build(root, split='val')) == ['c']
    with pytest.raises(DataLayoutError, match='images/test does not exist'):
        build(root, split='test')


def test_a_split_is_a_list_of_names(folder):
    root = folder('a.jpg', 'x/b.jpg', 'c.jpg')
    (root / 'few.txt').write_text('x/b\n\na\n')
    assert names(build(root, split=f'{root}/few.txt')) == ['b', 'a']
    (root / 'few.txt').write_text('a.jpg\n')
    with pytest.raises(DataLayoutError, match=r"no image 'a.jpg' .*1 of 1 images"):
        build(root, split=f'{root}/few.txt')
    (root / 'few.txt').write_text('\n')
    with pytest.raises(DataLayoutError, match=r'few\.txt is empty'):
        build(root, split=f'{root}/few.txt')


def test_shares_part_the_names_and_stay_when_files_are_added(folder):
    root = folder(*(f'{i}.jpg' for i in range(20)))
    before = {s: set(names(build(root, split=s, shares=(0.7, 0.3)))) for s in ('train', 'val')}
    assert before['train'] | before['val'] == {str(i) for i in range(20)}
    assert not before['train'] & before['val']
    folder(*(f'new_{i}.jpg' for i in range(10)))
    for split, old in before.items():
        now = set(names(build(root, split=split, shares=(0.7, 0.3))))
        assert {name for name in now if not name.startswith('new')} == old


def test_shares_are_met_and_depend_on_the_seed():
    many = [f'image_{i}' for i in range(10_000)]
    parts = [in_part(many, part, (0.6, 0.3, 0.1), 0) for part in ('train', 'val', 'test')]
    assert [round(len(part) / 1000) for part in parts] == [6, 3, 1]
    assert sorted([*parts[0], *parts[1], *parts[2]]) == sorted(many)
    assert in_part(many, 'train', (0.6, 0.3, 0.1), 1) != parts[0]


@pytest.mark.parametrize(
    ('part', 'shares', 'match'),
    [
        ('train', (0.8, 0.1), 'shares is'),
        ('train', (1.0,), 'shares is'),
        ('test', (0.8, 0.2), "split is 'test'"),
        (None, (0.8, 0.2), 'split is None'),
    ],
)
def test_wrong_shares_are_errors(part, shares, match):
    with pytest.raises(ValueError, match=match):
        in_part(['a'], part, shares, 0)


def test_a_part_without_images_is_an_error():
    with pytest.raises(DataLayoutError, match="Of 1 images none falls into 'val'"):
        in_part(['a'], 'val', (1.0, 0.0), 0)


def test_palettes_hold_ids(folder):
    mask = np.array([[0, 1, 2]], np.uint8).repeat(2, 0)
    assert only_mask(build(folder('a.png', mask=mask, mode='P'))) == mask.tolist()


def test_ids_of_16_bits(folder):
    mask = np.array([[0, 1000], [26001, 255]], np.uint16)
    root = folder('a.png', mask=mask)
    label_map = {0: 'background', 1000: 'road', 26001: 'car'}
    assert only_mask(build(root, label_map=label_map)) == [[0, 1], [2, 255]]
    with pytest.raises(SampleError, match=r'a.png: found the ids 1000 \(1 pixels\), 26001'):
        build(root)[0]


def test_colours_stand_for_classes_and_merge(folder):
    rows = [[(0, 0, 0), (128, 64, 128)], [(0, 0, 142), (9, 9, 9)], [(255, 255, 0), (0, 0, 142)]]
    root = folder('a.png', mask=np.array(rows, np.uint8))
    colors = {'background': (0, 0, 0), 'road': (128, 64, 128), 'car': (0, 0, 142),
              'void': (9, 9, 9), 'lane': (255, 255, 0)}  # fmt: skip
    dataset = build(root, colors=colors, label_map={'lane': 'road'})
    torch.save(dataset.metainfo, file := io.BytesIO())  # as in a checkpoint
    file.seek(0)
    assert torch.load(file, weights_only=True)['label_map'][128, 64, 128] == 1
    lane = colors.pop('lane')
    listed = build(root, colors={**colors, 'road': [colors['road'], lane]})
    for one in (dataset, listed):
        assert only_mask(one) == [[0, 1], [2, 255], [1, 2]]
        assert one.metainfo['palette'] == [[0, 0, 0], [128, 64, 128], [0, 0, 142]]


def test_colours_of_a_palette(folder):
    mask = np.array([[2, 1], [0, 1]], np.uint8)
    colors = {'road': (0, 0, 0), 'car': (128, 64, 128), 'background': (0, 0, 142)}
    assert only_mask(build(folder('a.png', mask=mask, mode='P'), colors=colors)) == [[0, 2], [1, 2]]


def test_an_unknown_colour_is_named_with_its_pixels(folder):
    mask = np.array([[(1, 2, 3)] * 3, [(0, 0, 0)] * 3], np.uint8)
    dataset = build(folder('a.png', mask=mask), ['road'], colors={'road': (0, 0, 0)})
    with pytest.raises(SampleError, match=r'a.png: found the colours \(1, 2, 3\) \(3 pixels\)'):
        dataset[0]


def test_binary_masks_need_to_say_what_255_is(folder):
    mask = np.array([[0, 255], [255, 0]], np.uint8)
    root = folder('a.png', mask=mask)
    with pytest.raises(SampleError, match=r'only 0 and 255(.|\n)*label_map=\{0: '):
        build(root, ['background', 'car'])
    label_map = {0: 'background', 255: 'car'}
    assert only_mask(build(root, ['background', 'car'], label_map=label_map)) == [[0, 1], [1, 0]]


def test_masks_of_one_bit_are_ids(folder):
    mask = np.array([[False, True], [True, False]])
    assert only_mask(build(folder('a.png', mask=mask), ['background', 'car'])) == [[0, 1], [1, 0]]


def test_void_in_two_classes_is_no_error_where_the_second_occurs(folder):
    folder('a.png', mask=np.array([[0, 255]] * 2, np.uint8))
    root = folder('b.png', mask=np.array([[0, 1]] * 2, np.uint8))
    assert only_mask(build(root, ['background', 'car'])) == [[0, 255]] * 2


def test_background_may_be_void(folder):
    dataset = build(folder('a.png'), ['road', 'car'], label_map={0: 'void', 1: 'road', 2: 'car'})
    assert only_mask(dataset) == [[255, 0, 1], [1, 255, 255]]


def test_an_id_that_is_not_in_the_label_map_is_an_error(folder):
    dataset = build(folder('a.png'), ['road', 'car'], label_map={0: 'road', 1: 'car'})
    with pytest.raises(SampleError, match=r'the ids 2 \(2 pixels\), expected 0 to 1, 255'):
        dataset[0]


def test_two_images_of_one_name_are_an_error(folder):
    with pytest.raises(DataLayoutError, match=r'a\.jpg and .*a\.png have the same name'):
        build(folder('a.jpg', 'a.png'))


def test_an_image_without_a_mask_is_named(folder):
    root = folder('a.jpg', 'street.jpg')
    (root / 'masks/street.png').rename(root / 'masks/street_mask.png')
    with pytest.raises(
        DataLayoutError, match=r"no mask 'street' \(did.*'street_mask'\?\).*1 of 2 masks"
    ):
        build(root)


def test_a_mask_without_an_image_is_named(folder):
    root = folder('a.jpg', 'b.jpg')
    (root / 'images/b.jpg').unlink()
    with pytest.raises(DataLayoutError, match=r"no image 'b' .*1 of 2 images"):
        build(root)


def test_a_folder_without_images_names_the_suffixes_found(tmp_path):
    (tmp_path / 'images').mkdir()
    for name in ('a.npz', 'b.npz', 'notes.txt'):
        (tmp_path / 'images' / name).write_text('')
    with pytest.raises(DataLayoutError, match=r'found 2 of \.npz, 1 of \.txt, expected .*\.jpg'):
        build(tmp_path)


def test_images_to_predict_need_no_masks(folder):
    root = folder('a.jpg', 'b.jpg')
    dataset = build(root, masks=None, test_mode=True)
    assert len(dataset) == 2 and 'gt_seg_map' not in dataset[0]
    with pytest.raises(ValueError, match=r'no masks .*WithUnlabelled'):
        build(root, masks=None)


@pytest.mark.parametrize(
    ('options', 'match'),
    [
        ({'classes': ['road', 'road']}, "'road'] twice"),
        ({'classes': []}, 'expected a list of 1 to 254'),
        ({'label_map': {0: 'raod', 1: 'car'}}, r"'raod' is no class \(did you mean 'road'"),
        ({'label_map': {'lane': 'road'}}, "the key 'lane', expected ids"),
        ({'label_map': {0: 'road'}}, r"nothing for the classes \['background', 'car'\]"),
        ({'colors': {'road': (0, 0, 0)}}, r"colors has nothing for the classes"),
        (
            {'colors': dict.fromkeys(CLASSES, (0, 0, 0)), 'label_map': {'lan': 'road'}},
            "key 'lan', expected names of colors",
        ),
        (
            {'colors': {'background': (1, 1, 1), 'road': (2, 2, 2), 'car': (3, 3, 3),
                        'void': (3, 3, 3)}},
            'has nothing for|same colour twice',
        ),
        (
            {'label_map': {0: 'void', 1: 'background', 2: 'road', 3: 'car'},
             'reduce_zero_label': True},
            'reduce_zero_label=True beside label_map or colors',
        ),
    ],
)  # fmt: skip
def test_arguments_that_contradict_one_another_are_errors(folder, options, match):
    with pytest.raises(ValueError, match=match):
        build(folder('a.jpg'), **options)
