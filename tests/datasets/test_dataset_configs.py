from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from mmseg.registry import DATASETS, METRICS, MODELS

from segkd_mm.datasets import DataLayoutError

CONFIGS = Path(__file__).parents[2] / 'configs' / '_base_' / 'datasets'
REAL = {'voc': 'voc/VOC2012', 'camvid': 'camvid', 'msrc_v2': 'msrc_v2'}
LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')


def load(name, root):
    init_default_scope('mmseg')
    config = Config.fromfile(CONFIGS / f'{name}.py')
    for loader in LOADERS:
        assert config[loader].dataset.data_root == config.data_root
        config[loader].dataset.data_root = str(root)
        config[loader].update(num_workers=0, persistent_workers=False)
    return config


def check_training_batch(config):
    loader = Runner.build_dataloader(config.train_dataloader, seed=0)
    batch = MODELS.build(config.preprocessor)(next(iter(loader)), training=True)
    size = config.train_dataloader.batch_size
    labels = torch.stack([sample.gt_sem_seg.data for sample in batch['data_samples']])
    assert batch['inputs'].shape == (size, 3, *config.crop_size)
    assert labels.shape == (size, 1, *config.crop_size)
    assert set(labels.unique().tolist()) <= {*range(config.num_classes), 255}


def check_whole_images(config):
    for loader in (config.val_dataloader, config.test_dataloader):
        dataset = DATASETS.build(loader.dataset)
        sample = dataset[0]
        shape = tuple(sample['inputs'].shape[1:])
        assert len(dataset.metainfo['classes']) == config.num_classes
        assert sample['data_samples'].ori_shape == shape
        assert sample['data_samples'].gt_sem_seg.shape == shape


@pytest.mark.parametrize('name', REAL)
def test_images_come_through(real_data, name):
    config = load(name, f'{real_data}/{REAL[name]}')
    check_training_batch(config)
    check_whole_images(config)


def test_shapes_come_through(tmp_path):
    config = load('shapes', tmp_path / 'shapes')
    for loader in LOADERS:
        config[loader].dataset.update(num_train=9, num_val=2)
    check_training_batch(config)
    check_whole_images(config)


def test_cityscapes_at_half_size_comes_through(tmp_path):
    config = load('cityscapes_half', tmp_path)
    label = np.kron(np.arange(32, dtype=np.uint8).reshape(4, 8), np.ones((128, 128), np.uint8))
    label[label > 18] = 255
    for split, number in [('train', config.train_dataloader.batch_size), ('val', 1)]:
        images, labels = (tmp_path / kind / split / 'ulm' for kind in ('leftImg8bit', 'gtFine'))
        for folder in (images, labels):
            folder.mkdir(parents=True)
        for name in range(number):
            cv2.imwrite(f'{images}/ulm_{name}_leftImg8bit.png', label)
            cv2.imwrite(f'{labels}/ulm_{name}_gtFine_labelTrainIds.png', label)
    check_training_batch(config)
    check_whole_images(config)


@pytest.mark.parametrize('name', [*REAL, 'cityscapes_half', 'shapes', 'voc_aug'])
def test_evaluators_build(name):
    config = Config.fromfile(CONFIGS / f'{name}.py')
    for evaluator in (config.val_evaluator, config.test_evaluator):
        assert METRICS.build(evaluator).metrics == ['mIoU']


def test_voc_aug_adds_the_aug_masks_to_voc():
    plain, aug = (Config.fromfile(CONFIGS / f'{name}.py') for name in ('voc', 'voc_aug'))
    first, second = aug.train_dataloader.dataset.datasets
    assert first == plain.train_dataloader.dataset
    assert second.data_prefix.seg_map_path == 'SegmentationClassAug'
    assert second.ann_file == 'ImageSets/Segmentation/aug.txt'
    assert aug.val_dataloader == plain.val_dataloader


def test_voc_aug_without_its_masks_says_how_to_make_them(real_data):
    init_default_scope('mmseg')
    dataset = Config.fromfile(CONFIGS / 'voc_aug.py').train_dataloader.dataset.datasets[1]
    dataset.data_root = f'{real_data}/voc/VOC2012'
    with pytest.raises(DataLayoutError, match=r'ClassAug does not exist(.|\n)*voc_aug.py'):
        DATASETS.build(dataset)
