import numpy as np
import pytest
import torch
from mmcv.transforms import LoadImageFromFile
from mmseg.datasets.transforms import LoadAnnotations
from mmseg.evaluation import IoUMetric
from PIL import Image

from segkd_mm.datasets import CamVidDataset

PIPELINE = [LoadImageFromFile(), LoadAnnotations()]


def camvid(root, split='train', **kwargs):
    prefix = {'img_path': split, 'seg_map_path': f'{split}annot'}
    return CamVidDataset(data_root=str(root), data_prefix=prefix, pipeline=PIPELINE, **kwargs)


@pytest.fixture(params=['.png', '.jpg'])
def tiny(request, tmp_path):
    """One image of 2 x 6 pixels whose file values are 0 to 11."""
    for folder in ('train', 'trainannot'):
        (tmp_path / folder).mkdir()
    mask = np.arange(12, dtype=np.uint8).reshape(2, 6)
    Image.fromarray(mask).convert('RGB').save(tmp_path / f'train/a{request.param}')
    Image.fromarray(mask).save(tmp_path / 'trainannot/a.png')
    return tmp_path


def test_void_becomes_255(tiny):
    assert camvid(tiny)[0]['gt_seg_map'].tolist() == [[0, 1, 2, 3, 4, 5], [6, 7, 8, 9, 10, 255]]


def test_a_class_subset_keeps_void_and_palette(tiny):
    dataset = camvid(tiny, metainfo={'classes': ('car', 'sky')})
    assert dataset[0]['gt_seg_map'].tolist() == [[1, *[255] * 5], [255, 255, 0, 255, 255, 255]]
    assert dataset.metainfo['palette'] == [[64, 0, 128], [128, 128, 128]]


@pytest.mark.parametrize(('split', 'size'), [('train', 367), ('val', 101), ('test', 233)])
def test_sizes_of_the_splits(real_data, split, size):
    assert len(camvid(f'{real_data}/camvid', split)) == size


def test_void_pixels_of_an_image_do_not_reach_the_metric(real_data):
    sample = camvid(f'{real_data}/camvid')[0]
    label = sample['gt_seg_map']
    assert sample['img_path'].endswith('0001TP_006690.jpg')
    # Read from the file: building, car, and the first void pixel.
    assert (label[0, 0], label[200, 240], label[36, 392]) == (1, 8, 255)
    truth = torch.from_numpy(label)
    _, _, _, areas = IoUMetric.intersect_and_union(torch.full_like(truth, 8), truth, 11, 255)
    assert areas.sum() == 480 * 360 - 7980
