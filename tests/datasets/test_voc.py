import numpy as np
import pytest
from mmcv.transforms import LoadImageFromFile
from mmseg.datasets.transforms import LoadAnnotations

from segkd_mm.datasets import VOC2012Dataset


def voc(real_data, split, **kwargs):
    return VOC2012Dataset(
        data_root=f'{real_data}/voc/VOC2012',
        data_prefix={'img_path': 'JPEGImages', 'seg_map_path': 'SegmentationClass'},
        ann_file=f'ImageSets/Segmentation/{split}.txt',
        pipeline=[LoadImageFromFile(), LoadAnnotations()],
        **kwargs,
    )


def counts(sample):
    return dict(zip(*np.unique(sample['gt_seg_map'], return_counts=True), strict=True))


@pytest.mark.parametrize(('split', 'size'), [('train', 1300), ('val', 445)])
def test_sizes_of_the_splits(real_data, split, size):
    assert len(voc(real_data, split)) == size


def test_a_class_subset_renumbers_and_sends_the_rest_to_void(real_data):
    full = voc(real_data, 'val')[0]
    assert full['img_path'].endswith('2007_000175.jpg')
    # One sheep (17): 94389 pixels are background, 47753 sheep and 12098 void.
    assert counts(full) == {0: 94389, 17: 47753, 255: 12098}
    subset = voc(real_data, 'val', metainfo={'classes': ('sheep', 'cow')})[0]
    assert counts(subset) == {0: 47753, 255: 94389 + 12098}
