import numpy as np
import pytest
from mmcv.transforms import LoadImageFromFile
from mmseg.datasets.transforms import PhotoMetricDistortion

from segkd_mm.datasets import TabledPhotoMetricDistortion
from segkd_mm.datasets.shapes_scene import draw_scene


def check_same(image, seeds):
    """The same after the same seed, to the bit, and as many numbers drawn."""
    changed = 0
    for seed in seeds:
        wanted, found = {'img': image.copy()}, {'img': image.copy()}
        np.random.seed(seed)
        PhotoMetricDistortion()(wanted)
        after = np.random.random()
        np.random.seed(seed)
        TabledPhotoMetricDistortion()(found)
        assert np.random.random() == after
        assert found['img'].dtype == np.uint8
        assert np.array_equal(found['img'], wanted['img'])
        changed += not np.array_equal(found['img'], image)
    assert changed > 0.8 * len(seeds)


def test_a_drawn_scene_becomes_what_mmseg_makes_of_it():
    # 32 ways of switching five things on and off.
    check_same(draw_scene(np.random.default_rng(0))[0], range(300))


@pytest.mark.parametrize(
    'file', ['voc/VOC2012/JPEGImages/2007_000175.jpg', 'camvid/train/0001TP_006690.jpg']
)
def test_an_image_becomes_what_mmseg_makes_of_it(real_data, file):
    check_same(LoadImageFromFile()({'img_path': f'{real_data}/{file}'})['img'], range(60))


def test_a_view_that_is_not_contiguous_is_taken():
    scene = draw_scene(np.random.default_rng(1))[0]
    check_same(scene[20:90, 30:110], range(40))
