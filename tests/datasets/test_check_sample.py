"""The check of each sample as it is loaded: the error names the file, or the sample is right."""

import numpy as np
import pytest
from mmengine.config import Config
from mmengine.dataset import Compose
from mmseg.datasets import BaseSegDataset
from mmseg.datasets.transforms import LoadAnnotations
from PIL import Image

from segkd_mm.datasets import CheckedLayout, LoadCheckedAnnotations, SampleError, WithUnlabelled
from segkd_mm.datasets.orientation import orientation_of
from segkd_mm.deploy.images import find_images, images_of_files
from segkd_mm.whole_image.images import WholeImages

LOAD = [{'type': 'LoadImageFromFile'}, {'type': 'LoadCheckedAnnotations'}]
SIZE = (4, 6)


class Tiny(CheckedLayout, BaseSegDataset):
    METAINFO = {'classes': ('a', 'b', 'c')}


@pytest.fixture
def load(tmp_path):
    """Write ``a.jpg`` (or another file) and its mask, and load them."""

    def call(mask, image=None, name='a.png', suffix='.png', **options):
        for kind in ('images', 'masks'):
            (tmp_path / kind).mkdir(exist_ok=True)
        image = Image.new('RGB', SIZE[::-1]) if image is None else image
        if isinstance(image, bytes):
            (tmp_path / 'images' / name).write_bytes(image)
        else:
            image.save(tmp_path / 'images' / name, **options)
        if isinstance(mask, bytes):
            (tmp_path / f'masks/a{suffix}').write_bytes(mask)
        else:
            Image.fromarray(mask).save(tmp_path / f'masks/a{suffix}')
        call.dataset = Tiny(
            data_prefix={'img_path': f'{tmp_path}/images', 'seg_map_path': f'{tmp_path}/masks'},
            img_suffix='.png', seg_map_suffix=suffix, pipeline=LOAD,
        )  # fmt: skip
        return call.dataset[0]

    return call


def ids(value, size=SIZE, dtype=np.uint8):
    return np.full(size, value, dtype)


def png(tmp_path, pixels):
    Image.fromarray(pixels).save(tmp_path / 'whole.png')
    return (tmp_path / 'whole.png').read_bytes()


def test_a_right_sample_is_as_mmseg_loads_it(load, tmp_path):
    mask = np.array([[0, 1, 2, 255, 1, 0]] * 4, np.uint8)
    info = {'seg_map_path': f'{tmp_path}/masks/a.png', 'label_map': None, 'seg_fields': []}
    found = load(mask)['gt_seg_map']
    for options in ({'reduce_zero_label': False}, {'reduce_zero_label': True},
                    {'reduce_zero_label': False, 'label_map': {0: 255, 1: 0, 2: 1}}):  # fmt: skip
        info = {**info, **options}
        theirs = LoadAnnotations()({**info, 'seg_fields': []})['gt_seg_map']
        ours = LoadCheckedAnnotations()({**info, 'seg_fields': []})['gt_seg_map']
        assert ours.tolist() == theirs.tolist()
    assert found.tolist() == mask.tolist() and found.dtype == np.uint8


@pytest.mark.parametrize(
    ('mask', 'suffix', 'match'),
    [
        (ids(1, (4, 5)), '.png', r'a.png: found 5 x 4 pixels, expected 6 x 4 pixels as its image'),
        (ids(1, (*SIZE, 3)), '.png', r'a.png: found 3 channels, .*Save one channel'),
        (
            np.array([[(1, 2, 3)] * 6] * 4, np.uint8), '.png',
            r'with the colours \(1, 2, 3\) \(24 pixels\), expected one channel of class ids',
        ),
        (ids(258, dtype=np.uint16), '.png', r'the ids 258 \(24 pixels\), expected 0 to 2, 255'),
        (ids(0.5, dtype=np.float32), '.tif', r'a.tif: found float32 values from 0.5 to 0.5'),
        (ids(3), '.png', r'a.png: found the ids 3 \(24 pixels\), expected 0 to 2, 255 \(255 is vo'),
        (ids(254), '.png', r'the ids 254 '),
        (b'', '.png', r'masks/a.png: found an empty file'),
    ],
)  # fmt: skip
def test_a_wrong_mask_is_an_error_that_names_it(load, mask, suffix, match):
    with pytest.raises(SampleError, match=match):
        load(mask, suffix=suffix)


def test_ids_of_16_bits_that_are_classes_load(load):
    assert (load(ids(2, dtype=np.uint16))['gt_seg_map'] == 2).all()


def test_a_mask_cut_short_is_named(load, tmp_path):
    noise = np.random.default_rng(0).integers(0, 3, (64, 64)).astype(np.uint8)
    whole = png(tmp_path, noise)
    with pytest.raises(SampleError, match=r'masks/a.png: found \d+ bytes that cannot be decoded'):
        load(whole[: len(whole) // 2])


@pytest.mark.parametrize('share', [0, 0.5])
def test_an_image_empty_or_cut_short_is_named(load, tmp_path, share):
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3)).astype(np.uint8)
    whole = png(tmp_path, noise)
    with pytest.raises(SampleError, match=r'images/a.png: found .*expected a whole image'):
        load(ids(0, (64, 64)), whole[: int(len(whole) * share)])


def test_an_image_of_one_pixel_is_named(load):
    with pytest.raises(SampleError, match=r'images/a.png: found 1 x 1 pixels'):
        load(ids(0, (1, 1)), Image.new('RGB', (1, 1)))


def test_an_empty_image_is_named_where_there_are_no_masks(shapes, tmp_path):
    (tmp_path / 'empty.png').write_bytes(b'')
    labelled = {
        'type': 'ShapesDataset', 'data_root': str(shapes), 'num_train': 16, 'num_val': 4,
        'data_prefix': {'img_path': 'JPEGImages', 'seg_map_path': 'SegmentationClass'},
        'ann_file': 'ImageSets/Segmentation/train.txt', 'pipeline': LOAD,
    }  # fmt: skip
    with pytest.raises(SampleError, match=r'empty.png: found an empty file'):
        WithUnlabelled(labelled, str(tmp_path))[16]
    Image.new('RGB', (6, 1)).save(tmp_path / 'empty.png')
    dataset = WithUnlabelled(labelled, str(tmp_path))
    for samples in (dataset, WholeImages(dataset)):  # those of a teacher's cache, too
        with pytest.raises(SampleError, match=r'empty.png: found 6 x 1 pixels, expected at least'):
            samples[16]


def exif(orientation):
    tag = Image.Exif()
    tag[0x112] = orientation
    return tag


STORED = np.array([[0, 1, 2], [1, 1, 0]], np.uint8)
UPRIGHT = {  # by hand
    5: [[0, 1], [1, 1], [2, 0]],
    6: [[1, 0], [1, 1], [0, 2]],
    7: [[0, 2], [1, 1], [1, 0]],
    8: [[2, 0], [1, 1], [0, 1]],
}


@pytest.mark.parametrize('orientation', UPRIGHT)
def test_a_mask_of_the_stored_pixels_is_turned_like_its_image(load, orientation):
    image = Image.fromarray(STORED * 100).convert('RGB')
    sample = load(STORED, image, exif=exif(orientation))
    assert sample['gt_seg_map'].tolist() == UPRIGHT[orientation]
    assert (sample['img'][..., 0] // 100).tolist() == UPRIGHT[orientation]


def test_a_mask_of_the_upright_picture_stays(load):
    image = Image.fromarray(STORED * 100).convert('RGB')
    upright = np.array(UPRIGHT[6], np.uint8)
    assert load(upright, image, exif=exif(6))['gt_seg_map'].tolist() == UPRIGHT[6]


@pytest.mark.parametrize(('orientation', 'size'), [(2, SIZE), (3, SIZE), (4, SIZE), (6, (4, 4))])
def test_an_orientation_that_the_size_does_not_show_is_an_error(load, orientation, size):
    image = Image.new('RGB', size[::-1])
    match = f'images/a.png: found the EXIF orientation {orientation}'
    with pytest.raises(SampleError, match=match):
        load(ids(0, size), image, exif=exif(orientation))


def test_a_sample_without_a_mask_loads_without(tmp_path):
    Image.new('RGB', (6, 4)).save(tmp_path / 'a.png')
    assert 'gt_seg_map' not in Compose(LOAD)({'img_path': f'{tmp_path}/a.png', 'seg_fields': []})


def test_images_to_predict_are_named(tmp_path):
    (tmp_path / 'a.png').write_bytes(b'')
    config = Config({'test_dataloader': {'dataset': {'pipeline': LOAD}}})
    with pytest.raises(SampleError, match=r'a\.png: found an empty file'):
        images_of_files(config, find_images([str(tmp_path)]))[0]


def test_the_classes_of_a_mask_are_known_to_class_balancing(load):
    load(np.array([[0, 2, 2, 255, 2, 0]] * 4, np.uint8))
    assert load.dataset.get_cat_ids(0) == [0, 2]


def test_large_images_and_masks_are_opened(tmp_path):
    """Pillow's own bound is 179 million pixels."""
    file = str(tmp_path / 'mask.tif')
    Image.new('1', (13400, 13400)).save(file, compression='group4')
    assert orientation_of(file) == 1
