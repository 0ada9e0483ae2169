import os

import numpy as np
import pytest
from mmcv.transforms import LoadImageFromFile
from mmseg.datasets.transforms import LoadAnnotations

from segkd_mm.datasets import VOC2012Dataset

DATA = os.environ.get('SEGKD_DATA')
needs_photos = pytest.mark.skipif(not DATA, reason='SEGKD_DATA names no folder of real photos')


def voc(split, **kwargs):
    return VOC2012Dataset(
        data_root=f'{DATA}/voc/VOC2012',
        data_prefix={'img_path': 'JPEGImages', 'seg_map_path': 'SegmentationClass'},
        ann_file=f'ImageSets/Segmentation/{split}.txt',
        pipeline=[LoadImageFromFile(), LoadAnnotations()],
        **kwargs,
    )


def counts(sample):
    return dict(zip(*np.unique(sample['gt_seg_map'], return_counts=True), strict=True))


@needs_photos
@pytest.mark.parametrize(('split', 'size'), [('train', 1300), ('val', 445)])
def test_sizes_of_the_splits(split, size):
    assert len(voc(split)) == size


@needs_photos
def test_a_class_subset_renumbers_and_sends_the_rest_to_void():
    full = voc('val')[0]
    assert full['img_path'].endswith('2007_000175.jpg')
    # One sheep (17): 94389 pixels are background, 47753 sheep and 12098 void.
    assert counts(full) == {0: 94389, 17: 47753, 255: 12098}
    subset = voc('val', metainfo={'classes': ('sheep', 'cow')})[0]
    assert counts(subset) == {0: 47753, 255: 94389 + 12098}
