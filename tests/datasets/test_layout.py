import numpy as np
import pytest
from mmseg.registry import DATASETS
from PIL import Image

from segkd_mm.datasets import DataLayoutError

SPLIT = 'ImageSets/Segmentation/train.txt'


@pytest.fixture
def voc(tmp_path):
    """A VOC folder of two images, 4 x 4, labelled 0."""
    for folder in ('JPEGImages', 'SegmentationClass', 'ImageSets/Segmentation'):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / SPLIT).write_text('a\nb\n')
    for name in 'ab':
        pixels = np.zeros((4, 4), np.uint8)
        Image.fromarray(pixels).convert('RGB').save(tmp_path / f'JPEGImages/{name}.jpg')
        Image.fromarray(pixels).save(tmp_path / f'SegmentationClass/{name}.png')
    return tmp_path


def build(root, **kwargs):
    prefix = {'img_path': 'JPEGImages', 'seg_map_path': 'SegmentationClass'}
    config = {'type': 'VOC2012Dataset', 'data_root': str(root), 'ann_file': SPLIT}
    return DATASETS.build({**config, 'data_prefix': prefix, **kwargs})


def test_a_complete_folder_loads(voc):
    assert [info['img_path'][-5:] for info in build(voc)] == ['a.jpg', 'b.jpg']


def test_masks_are_optional_where_the_config_names_none(voc):
    assert len(build(voc, data_prefix={'img_path': 'JPEGImages'})) == 2


def test_a_missing_folder_is_named_with_what_to_do(tmp_path):
    with pytest.raises(DataLayoutError) as error:
        build(tmp_path / 'nowhere')
    message = str(error.value)
    assert f'{tmp_path}/nowhere does not exist' in message
    assert '├── SegmentationClass/*.png' in message
    assert 'VOCtrainval_11-May-2012.tar' in message
    assert '--cfg-options data_root=/path/to/it' in message


@pytest.mark.parametrize('missing', [SPLIT, 'SegmentationClass', 'JPEGImages'])
def test_a_missing_part_is_named(voc, missing):
    (voc / missing).rename(voc / 'moved')
    with pytest.raises(DataLayoutError, match=f'{missing} does not exist'):
        build(voc)


def test_an_image_without_a_mask_is_named(voc):
    (voc / 'SegmentationClass/b.png').unlink()
    with pytest.raises(DataLayoutError, match=r'Class/b.png does not exist \(1 of 2 masks are'):
        build(voc)


def test_a_listed_image_that_is_absent_is_named(voc):
    (voc / 'JPEGImages/a.jpg').unlink()
    with pytest.raises(DataLayoutError, match=r'a.jpg does not exist \(1 of 2 images are'):
        build(voc)


def test_an_empty_split_is_an_error(voc):
    (voc / SPLIT).write_text('')
    with pytest.raises(DataLayoutError, match=r'train.txt is empty'):
        build(voc)


def test_metadata_need_no_data(tmp_path):
    assert len(build(tmp_path / 'nowhere', lazy_init=True).metainfo['classes']) == 21
