"""The light pipeline gives the samples that mmseg's gives, not just others of their kind."""

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmseg.registry import DATASETS, MODELS
from torch.utils.data import DataLoader

from segkd_mm.config import config_dir, load_config
from segkd_mm.datasets import ReplayIndex, ReplayInfiniteSampler

NAMES = ['voc', 'camvid', 'msrc_v2', 'cityscapes_half', 'shapes']
REAL = {'voc': 'voc/VOC2012', 'camvid': 'camvid', 'msrc_v2': 'msrc_v2'}


def base(name):
    return Config.fromfile(config_dir() / '_base_' / 'datasets' / f'{name}.py')


def build(config, pipeline, root, **options):
    dataset = {**config.train_dataloader.dataset, 'data_root': str(root), **options}
    return DATASETS.build({**dataset, 'pipeline': pipeline})


def both(config, root, **options):
    """The training data by mmseg's transforms and by the light ones, with undistorted colours.

    Their distortions are the same to the bit (test_distortion.py), but spread what is not.
    """
    pipelines = [
        [step for step in pipeline if 'Distortion' not in step.type]
        for pipeline in (config.train_pipeline, config.light_pipeline)
    ]
    return [build(config, pipeline, root, **options) for pipeline in pipelines]


def check_same_samples(mmsegs, light, number):
    """After the same seed: the same mask, and the image but for the rounding of its resize."""
    for place in range(number):
        index = ReplayIndex(place % len(light), (0, 0, place))
        wanted, found = mmsegs[index], light[index]
        a, b = wanted['data_samples'], found['data_samples']
        assert torch.equal(a.gt_sem_seg.data, b.gt_sem_seg.data)
        levels = (wanted['inputs'].int() - found['inputs'].int()).abs().float()
        # 255 / 128 either way, and a level of rounding.
        assert levels.mean() < 0.3 and levels.max() <= 5
        meta = b.metainfo
        assert meta.pop('crop_to_image').shape == (2, 3)
        assert meta == a.metainfo


@pytest.mark.slow
def test_shapes_are_those_of_the_default_pipeline(shapes):
    check_same_samples(*both(base('shapes'), shapes, num_train=16, num_val=4), number=200)


@pytest.mark.slow
@pytest.mark.parametrize('name', REAL)
def test_real_images_are_those_of_the_default_pipeline(real_data, name):
    check_same_samples(*both(base(name), real_data / REAL[name]), number=80)


@pytest.mark.parametrize('name', NAMES)
def test_every_data_set_resizes_and_crops_alike_in_both(name):
    config = base(name)
    resize, crop = config.train_pipeline[3:5]
    light = config.light_pipeline[3]
    assert (resize.scale, resize.ratio_range) == (light.scale, light.ratio_range)
    assert (crop.crop_size, crop.cat_max_ratio) == (light.crop_size, light.cat_max_ratio)


def test_images_come_to_the_device_as_bytes_and_are_normalised_there(shapes):
    config = base('shapes')
    light = build(config, config.light_pipeline, shapes, num_train=16, num_val=4)
    samples = [light[ReplayIndex(i, (0, 0, i))] for i in range(16)]
    for sample in samples:
        assert sample['inputs'].dtype == torch.uint8
        assert sample['inputs'].is_contiguous()
    batch = MODELS.build(config.preprocessor)(pseudo_collate(samples), training=True)
    assert batch['inputs'].dtype == torch.float32
    red = (samples[0]['inputs'][2, 5, 7] - 123.675) / 58.395
    assert batch['inputs'][0, 0, 5, 7] == pytest.approx(red.item(), abs=1e-5)


def test_one_line_takes_it_in_an_experiment(tmp_path):
    file = tmp_path / 'light.py'
    line = 'train_dataloader = dict(dataset=dict(pipeline=_base_.light_pipeline))'
    file.write_text(f"_base_ = '{config_dir()}/kd/response_kd_voc.py'\n{line}\n")
    light, plain = load_config(file), load_config('kd/response_kd_voc.py')
    assert light.train_dataloader.dataset.pipeline == base('voc').light_pipeline
    assert light.model == plain.model
    assert light.val_dataloader == plain.val_dataloader


def take(dataset, workers):
    sampler = ReplayInfiniteSampler(dataset, seed=0)
    loader = DataLoader(dataset, batch_size=4, sampler=sampler, num_workers=workers,
                        collate_fn=pseudo_collate)  # fmt: skip
    batches = iter(loader)
    return [next(batches) for _ in range(6)]


def test_the_number_of_workers_does_not_matter(shapes):
    config = base('shapes')
    light = build(config, config.light_pipeline, shapes, num_train=16, num_val=4)
    alone, shared = take(light, 0), take(light, 2)
    for one, other in zip(alone, shared, strict=True):
        for a, b in zip(one['inputs'], other['inputs'], strict=True):
            assert torch.equal(a, b)
        for a, b in zip(one['data_samples'], other['data_samples'], strict=True):
            assert torch.equal(a.gt_sem_seg.data, b.gt_sem_seg.data)
            assert np.array_equal(a.crop_to_image, b.crop_to_image)
