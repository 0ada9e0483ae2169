import warnings
from pathlib import Path

import numpy as np
import pytest
from mmengine.dataset import Compose
from mmseg.registry import DATASETS

from segkd_mm.datasets.image_crop import LoadImageCrop
from segkd_mm.datasets.replay import ReplayIndex
from segkd_mm.datasets.sample_error import SampleError
from segkd_mm.labels import UNLABELLED

rasterio = pytest.importorskip('rasterio')


@pytest.fixture
def write(tmp_path):
    """Write bands [bands, H, W] as a TIFF of tiles of 16 x 16; give its path."""

    def tiff(name, bands):
        path = str(tmp_path / name)
        count, height, width = bands.shape
        shape = dict(count=count, height=height, width=width, dtype=bands.dtype)
        tiles = dict(
            tiled=True, blockxsize=16, blockysize=16, compress='deflate', interleave='pixel'
        )
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            with rasterio.open(path, 'w', driver='GTiff', **shape, **tiles) as file:
                file.write(bands)
        return path

    return tiff


@pytest.fixture
def sample(write):
    """Pixel (x, y) is (x, y, 7) in red, green and blue, and of the class (x + y) % 4."""
    y, x = np.indices((64, 96))
    image = write('image.tif', np.stack([x, y, x * 0 + 7]).astype(np.uint8))
    mask = write('mask.tif', ((x + y) % 4).astype(np.uint8)[None])
    return dict(img_path=image, seg_map_path=mask, seg_fields=[], reduce_zero_label=False,
                num_classes=4, label_map=None)  # fmt: skip


def test_a_crop_is_a_window_of_image_and_mask_at_a_random_place(sample):
    np.random.seed(0)
    load, places = LoadImageCrop((24, 40)), set()
    for _ in range(5):
        loaded = load({**sample, 'seg_fields': []})
        blue, green, red = np.moveaxis(loaded['img'], 2, 0).astype(int)
        assert loaded['img'].shape[:2] == loaded['img_shape'] == (24, 40)
        assert loaded['ori_shape'] == (64, 96)
        assert (red[0] - red[0, 0] == np.arange(40)).all() and (blue == 7).all()
        assert (loaded['gt_seg_map'] == (red + green) % 4).all()
        # The map from pixel centres of the crop to those of the image.
        assert np.array_equal(loaded['crop_to_image'] @ [0, 0, 1], (red[0, 0], green[0, 0]))
        places.add((red[0, 0], green[0, 0]))
    assert len(places) == 5


def test_only_the_tiles_of_the_crop_are_decoded(sample, monkeypatch):
    """The last one, at the bottom right, is cut short."""
    path = Path(sample['img_path'])
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(SampleError, match=r'image\.tif: found no whole TIFF'):
        LoadImageCrop((64, 96))(sample)
    monkeypatch.setattr(np.random, 'randint', lambda low, high: low)
    assert LoadImageCrop((40, 40))(sample)['img'].shape == (40, 40, 3)


def test_the_rest_of_a_pipeline_sees_the_crop_as_its_image(sample):
    crop = dict(scale=(48, 48), ratio_range=(1, 1), crop_size=(16, 16))
    steps = [
        dict(type='LoadImageCrop', crop_size=(48, 48)),
        dict(type='RandomResizeCropFlip', **crop),
    ]
    np.random.seed(0)
    cropped = Compose(steps)(sample)
    red = cropped['img'][..., 2].astype(int)
    x, y = cropped['crop_to_image'] @ [0, 0, 1]
    assert (red[0, 0], cropped['img'][0, 0, 1]) == (x, y)


def test_crops_of_a_folder_replay_and_are_repeated(sample):
    """A sample is a crop, so that an epoch of few images takes several of each."""
    root = Path(sample['img_path']).parent
    for name in ('image', 'mask'):
        (root / name).mkdir()
        (root / f'{name}.tif').rename(root / name / 'a.tif')
    folder = dict(
        type='FolderDataset',
        images=str(root / 'image'),
        masks=str(root / 'mask'),
        classes=['a', 'b', 'c', 'd'],
        pipeline=[dict(type='SeedAugmentation'), dict(type='LoadImageCrop', crop_size=(16, 16)),
                  dict(type='PackSegInputs')],
    )  # fmt: skip
    dataset = DATASETS.build(dict(type='RepeatDataset', times=3, dataset=folder))
    samples = [dataset[ReplayIndex(i, (0, 0, number))] for i, number in ((0, 0), (1, 1), (2, 0))]
    one, other, again = [sample['inputs'] for sample in samples]
    assert len(dataset) == 3
    assert one.equal(again) and not one.equal(other)
    assert samples[0]['data_samples'].gt_sem_seg.shape == (16, 16)


def test_images_without_masks(sample):
    del sample['seg_map_path']
    load = LoadImageCrop((32, 32))
    assert 'gt_seg_map' not in load({**sample})
    assert (load({**sample, 'unlabelled': True})['gt_seg_map'] == UNLABELLED).all()


def test_files_that_cannot_be_right_are_named(sample, write, tmp_path):
    load = LoadImageCrop((96, 96))
    ones = np.ones((3, 20, 30), np.uint8)
    (tmp_path / 'text.tif').write_text('no image')
    for wrong, message in [
        ({'img_path': str(tmp_path / 'text.tif')}, r'text\.tif: found no whole TIFF .*gdal_tran'),
        ({'img_path': write('grey.tif', ones[:1])}, r'grey\.tif: found 1 bands of uint8'),
        ({'img_path': write('deep.tif', ones.astype(np.uint16))}, 'found 3 bands of uint16'),
        ({'seg_map_path': write('small.tif', ones[:1])}, r'small\.tif: found 30 x 20 pixels, exp'),
        ({'num_classes': 3}, r'mask\.tif: found .*3'),
    ]:
        with pytest.raises(SampleError, match=message):
            load({**sample, **wrong})


def test_a_crop_of_other_bands_is_float_in_the_order_of_the_file(sample, write):
    y, x = np.indices((64, 96))
    bands = np.stack([x, y, x + y, x * 0 + 1000]).astype(np.uint16)
    sample['img_path'] = write('bands.tif', bands)
    np.random.seed(0)
    loaded = LoadImageCrop((24, 40), channels=4)(sample)
    left, top = loaded['crop_to_image'][:, 2].astype(int)
    assert loaded['img'].dtype == np.float32
    expected = bands[:, top : top + 24, left : left + 40].transpose(1, 2, 0)
    assert np.array_equal(loaded['img'], expected)
    with pytest.raises(SampleError, match=r'bands.tif: found \[24, 40, 4\] of uint16, expected'):
        LoadImageCrop((24, 40), channels=2)(sample)
    with pytest.raises(SampleError, match=r'4 bands of uint16, expected red, green and blue .*=4'):
        LoadImageCrop((24, 40))(sample)
