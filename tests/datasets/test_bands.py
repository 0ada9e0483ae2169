import warnings

import cv2
import numpy as np
import pytest
from mmengine.dataset import Compose
from mmseg.registry import DATASETS, MODELS
from PIL import Image

from segkd_mm.datasets import DistortBands, LoadBands, RandomResizeCropFlip, SampleError
from segkd_mm.datasets.band_statistics import band_statistics
from segkd_mm.datasets.image_dataset import ImageFiles
from segkd_mm.image_files import images_in


@pytest.fixture
def save(tmp_path):
    """Save an array as .npy, or by OpenCV; give its path."""

    def write(name, pixels):
        path = str(tmp_path / name)
        np.save(path, pixels) if name.endswith('.npy') else cv2.imwrite(path, pixels)
        return path

    return write


def load(file, channels):
    return LoadBands(channels)({'img_path': file, 'seg_fields': []})


def test_bands_are_those_of_the_file_in_its_order(save):
    pixels = np.arange(2 * 3 * 4, dtype=np.uint16).reshape(2, 3, 4) * 1000
    loaded = load(save('four.npy', pixels), 4)
    assert loaded['img'].dtype == np.float32 and np.array_equal(loaded['img'], pixels)
    assert loaded['img_shape'] == loaded['ori_shape'] == (2, 3)
    for name, grey in (('grey.npy', pixels[..., 1]), ('grey.png', pixels[..., 1])):
        assert np.array_equal(load(save(name, grey), 1)['img'], pixels[..., 1:2])
    # OpenCV writes what it takes for BGR: the file is RGB.
    colours = load(save('colours.png', pixels[..., 2::-1]), 3)['img']
    assert np.array_equal(colours, pixels[..., :3])
    assert np.array_equal(LoadBands(4)({'img': pixels})['img'], pixels)


def test_bands_of_a_tiff_file(tmp_path):
    rasterio = pytest.importorskip('rasterio')
    bands = np.arange(5 * 16 * 24).reshape(5, 16, 24).astype(np.int16) - 900
    file = tmp_path / 'five.tif'
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        shape = dict(count=5, height=16, width=24, dtype='int16')
        with rasterio.open(file, 'w', driver='GTiff', **shape) as opened:
            opened.write(bands)
    assert np.array_equal(load(str(file), 5)['img'], bands.transpose(1, 2, 0))
    with pytest.raises(SampleError, match=r'five.tif: found \[16, 24, 5\] of int16, expected'):
        load(str(file), 4)
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])
    with pytest.raises(SampleError, match=r'five.tif: found .* bytes that cannot be decoded'):
        load(str(file), 5)


@pytest.mark.parametrize(
    ('name', 'pixels', 'message'),
    [
        (
            'a.npy',
            np.zeros((4, 5, 3)),
            r'a.npy: found \[4, 5, 3\] of float64, expected \[H, W, 2\]',
        ),
        ('a.npy', np.zeros((2, 5, 6)), r'bands come first: save numpy.moveaxis\(array, 0, -1\)'),
        ('a.npy', np.zeros((4, 5)), r'found \[4, 5, 1\] of float64'),
        ('a.npy', np.full((4, 5, 2), np.nan), 'found 40 values that are NaN or infinite'),
        ('a.npy', np.full((4, 5, 2), 1e60), 'found 40 values that are NaN or infinite'),
        ('a.npy', np.zeros((4, 5, 2), complex), 'found values of complex128'),
        ('a.npy', np.array([[{}]]), 'bytes that cannot be decoded .*pickle'),
        ('a.png', np.zeros((4, 5), np.uint16), r'a.png: found \[4, 5, 1\] of uint16'),
    ],
)
def test_an_image_that_cannot_be_right_is_named(save, name, pixels, message):
    with pytest.raises(SampleError, match=message):
        load(save(name, pixels), 2)


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    for name, content in (('a.npy', b''), ('b.npy', b'\x93NUMPY\x01\x00'), ('c.png', b'PNG')):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(SampleError, match=f'{name}: found {len(content)} bytes that cannot'):
            load(str(tmp_path / name), 1)
    with pytest.raises(FileNotFoundError):
        load(str(tmp_path / 'none.npy'), 1)
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new('L', (8, 6)).save(tmp_path / 'turned.jpg', exif=exif)
    with pytest.raises(SampleError, match=r'turned.jpg: found the EXIF orientation 6'):
        load(str(tmp_path / 'turned.jpg'), 1)


def test_a_data_set_of_arrays_says_which_loader_it_needs(save, tmp_path):
    (tmp_path / 'images').mkdir()
    save('images/a.npy', np.zeros((8, 8, 4)))
    config = dict(type='FolderDataset', images=str(tmp_path / 'images'), classes=['a', 'b'],
                  test_mode=True)  # fmt: skip
    pack = dict(type='PackSegInputs')
    bands = DATASETS.build({**config, 'pipeline': [dict(type='LoadBands', channels=4), pack]})
    assert bands[0]['inputs'].shape == (4, 8, 8)
    colours = {**config, 'pipeline': [dict(type='LoadImageFromFile'), pack]}
    with pytest.raises(SampleError, match=r"Load it by dict.type='LoadBands', channels=...."):
        DATASETS.build(colours)
    (tmp_path / 'deep').mkdir()
    save('deep/a.png', np.full((8, 8), 4000, np.uint16))
    with pytest.raises(SampleError, match=r'a.png: found pixels of uint16, up to 4000, expected'):
        DATASETS.build({**colours, 'images': str(tmp_path / 'deep')})
    files = [str(tmp_path / 'deep/a.png')]
    with pytest.raises(SampleError, match=r'a.png: found pixels of uint16, up to 4000, expected'):
        ImageFiles(files, pipeline=colours['pipeline'])  # to predict, or without labels
    # Arrays beside images stay what they were: no images.
    save('images/b.png', np.zeros((8, 8, 3), np.uint8))
    assert [file.name for file in images_in(tmp_path / 'images')] == ['b.png']
    (tmp_path / 'images' / 'out').mkdir()
    (tmp_path / 'images/b.png').rename(tmp_path / 'images/out/b.png')
    found = images_in(tmp_path / 'images', without=tmp_path / 'images' / 'out')
    assert [file.name for file in found] == ['a.npy']


@pytest.mark.parametrize('channels', [1, 5])
def test_each_band_is_resized_cropped_and_flipped_like_an_image_of_its_own(channels):
    image = np.random.default_rng(0).uniform(0, 9000, (40, 60, channels)).astype(np.float32)
    mask = np.zeros((40, 60), np.uint8)

    def augmented(pixels):
        np.random.seed(3)
        step = RandomResizeCropFlip((60, 40), (0.5, 2.0), (32, 32), prob=1.0)
        results = dict(img=pixels, gt_seg_map=mask, seg_fields=['gt_seg_map'])
        return Compose([step, dict(type='PackSegInputs')])(results)['inputs'].numpy()

    alone = np.concatenate([augmented(image[..., i : i + 1]) for i in range(channels)])
    assert alone.shape == (channels, 32, 32) and alone.std() > 100
    np.testing.assert_allclose(augmented(image), alone, rtol=1e-4)


def test_distortion_shifts_by_the_spread_and_scales_around_the_mean(monkeypatch):
    # Mean 3 and 30, standard deviation 1 and 10.
    image = np.array([[[2, 20], [4, 40]]], np.float32)
    drawn = iter([0.4, 1.5, 0.4, 0.4])  # a factor only where it is applied
    applied = iter([1, 1, 0, 0, 1, 0])
    monkeypatch.setattr(np.random, 'uniform', lambda *_: next(drawn))
    monkeypatch.setattr(np.random, 'randint', lambda *_: next(applied))
    distorted = [DistortBands()({'img': image})['img'] for _ in range(3)]
    expected = [
        [[[1.9, 19], [4.9, 49]]],  # 3 - 1.5 + 0.4, 3 + 1.5 + 0.4
        image,
        [[[2.4, 24], [4.4, 44]]],
    ]
    np.testing.assert_allclose(distorted, expected, rtol=1e-6)
    assert all(one.dtype == np.float32 for one in distorted)


def test_statistics_are_over_all_pixels_of_all_images(save):
    one, other = np.zeros((2, 2, 2), np.uint16), np.full((2, 4, 2), 60000, np.uint16)
    other[..., 1] = 3
    mean, std = band_statistics([save('a.npy', one), save('b.npy', other)])
    # A third of the pixels is 0, two thirds 60,000 or 3.
    np.testing.assert_allclose(mean, [40000, 2])
    np.testing.assert_allclose(std, [60000 * 2**0.5 / 3, 2**0.5])
    with pytest.raises(SampleError, match=r'c.npy: found \[2, 2, 1\]'):
        band_statistics([save('a.npy', one), save('c.npy', one[..., 0])])
    with pytest.raises(ValueError, match='There is no image'):
        band_statistics([])


def test_the_preprocessor_normalises_each_band():
    import torch

    build = dict(type='BandPreProcessor', mean=[1.0, 2, 3, 4], std=[1.0, 2, 4, 8])
    preprocessor = MODELS.build(build)
    image = torch.tensor([3.0, 6, 11, 20]).view(4, 1, 1)
    inputs = preprocessor({'inputs': [image]})['inputs']
    assert inputs.flatten().tolist() == [2, 2, 2, 2]
    with pytest.raises(ValueError, match='3 channels, but the mean of the model has 4 values'):
        preprocessor({'inputs': [image[:3]]})
    for wrong in (dict(std=[1.0]), dict(std=[1.0, 0, 1, 1]), dict(bgr_to_rgb=True)):
        with pytest.raises(ValueError, match='expected a mean and a std above 0 for each band'):
            MODELS.build({**build, **wrong})
