"""A teacher that sees whole images in training, held against the cache of the same."""

from copy import deepcopy

import cv2
import mmcv
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mmengine.config import ConfigDict
from mmengine.dataset import pseudo_collate
from mmengine.runner import Runner
from mmseg.registry import DATASETS, MODELS

from segkd_mm.datasets import ReplayIndex
from segkd_mm.distill import TapError
from segkd_mm.doctor import Experiment, check_accuracy
from segkd_mm.whole_image.builder import TeacherCacheBuilder

pytestmark = pytest.mark.slow

TAP, FEATURE = 'decode_head.conv_seg', 'backbone.high'
LOAD = [{'type': 'SeedAugmentation'}, {'type': 'LoadImageFromFile'}]
MOVED = [
    {'type': 'RandomResize', 'scale': (100, 80), 'ratio_range': (0.5, 2.0), 'keep_ratio': True},
    {'type': 'RandomCrop', 'crop_size': (48, 64)},
    {'type': 'RandomRotate', 'prob': 0.5, 'degree': 20},
    {'type': 'RandomFlip', 'prob': 0.5},
    {'type': 'PhotoMetricDistortion'},
    {'type': 'RandomCutOut', 'prob': 1.0, 'n_holes': 4, 'cutout_shape': (10, 10)},
]


@pytest.fixture
def images(tmp_path):
    """A folder of images of noise in blocks, of two sizes."""
    folder, noise = tmp_path / 'images', np.random.default_rng(0)
    folder.mkdir()
    for name, size in (('a', (64, 80)), ('b', (80, 48)), ('c', (64, 80))):
        blocks = noise.integers(0, 256, (size[0] // 4, size[1] // 4, 3), np.uint8)
        cv2.imwrite(f'{folder}/{name}.png', cv2.resize(blocks, size[::-1]))
    return folder


@pytest.fixture
def config(tiny, nest, images):
    """A small config whose teacher sees whole images: ``config(augment=MOVED, stride=4)``."""

    def make(augment=MOVED, **teacher):
        made = tiny('kd/response_kd_shapes.py')
        nest(made, 'WholeImageTeacher', precision='fp32', **teacher)
        made.train_dataloader.dataset = ConfigDict(type='WithWholeImage', dataset=dict(
            type='BaseSegDataset', data_prefix={'img_path': str(images)}, img_suffix='.png',
            metainfo={'classes': ('one', 'two')},
            pipeline=[*LOAD, *deepcopy(augment), {'type': 'PackSegInputs'}],
        ))  # fmt: skip
        return made

    return make


def built(config, taps=(TAP,)):
    """The teacher of a config and its first batch, in which each image comes twice."""
    teacher = MODELS.build(config.model.teacher)
    teacher.prepare(set(taps), None)
    dataset = DATASETS.build(config.train_dataloader.dataset)
    return teacher, pseudo_collate([dataset[ReplayIndex(n % 3, (0, 0, n))] for n in range(6)])


def cached(config, tmp_path):
    """The same config with the teacher in a cache, which is made."""
    config, folder = deepcopy(config), str(tmp_path / 'cache')
    config.model.teacher.update(type='CachedTeacher', cache=folder)
    config.train_dataloader.dataset.update(type='WithTeacherCache', cache=folder)
    maker = TeacherCacheBuilder(config)
    chosen = maker.choose_storage(max_kl=-1, max_error=-1)  # so all in float16
    for _ in maker.build(maker.shards(), {tap: one.storage for tap, one in chosen.items()}):
        pass
    maker.finish()
    return config


@pytest.mark.parametrize(
    'options', [{}, {'stride': 4}, {'view': {'short_side': 48, 'scales': (1.0, 1.5), 'flip': True}}]
)
def test_it_says_what_a_cache_of_the_same_view_says_of_the_same_crops(config, options, tmp_path):
    online = config(**options)
    images = torch.zeros(6, 3, 48, 64)
    said = []
    for one in (online, cached(online, tmp_path)):
        teacher, batch = built(one)
        said.append(teacher(images, None, batch['data_samples'])[TAP])
    stride = options.get('stride', 8)
    assert said[0].shape == (6, 8, 48 // stride, 64 // stride)
    # A cache holds logits in half precision: 11 bits.
    torch.testing.assert_close(said[0], said[1], rtol=0, atol=said[0].abs().max().item() / 2**10)
    assert said[0].std() > 100 * (said[0] - said[1]).abs().max()


def test_members_of_an_ensemble_say_what_they_say_alone(config, join, tmp_path):
    both = join(config())
    members, expected = both.model.teacher.teacher.members, {}
    images = torch.zeros(6, 3, 48, 64)
    for name, member in members.items():
        teacher, batch = built(config(checkpoint=member['checkpoint']))
        expected[f'{name}.{TAP}'] = teacher(images, None, batch['data_samples'])[TAP]
    for one in (both, cached(both, tmp_path)):
        teacher, batch = built(one, expected)
        said = teacher(images, None, batch['data_samples'])
        assert said.keys() == expected.keys()
        for tap, logits in expected.items():
            torch.testing.assert_close(said[tap], logits, rtol=0, atol=logits.abs().max() / 2**10)
        one.model.teacher.teacher.drop = 0.1
        with pytest.raises(ValueError, match=r'drop=0\.1, expected none'):
            built(one, expected)


def test_features_of_an_image_as_it_is_are_those_of_the_teacher_that_sees_it(config):
    shown = config(augment=[], stride=16)
    teacher, batch = built(shown, taps=(TAP, FEATURE))
    images = torch.stack(batch['inputs'][:1]).float()
    maps = teacher(images, None, batch['data_samples'][:1])
    expected = teacher.teacher(images)
    size = maps[FEATURE].shape[2:]
    assert size == expected[FEATURE].shape[2:]
    torch.testing.assert_close(maps[FEATURE], expected[FEATURE], rtol=1e-4, atol=1e-4)
    smaller = F.interpolate(expected[TAP], size, mode='bilinear', antialias=True)
    torch.testing.assert_close(maps[TAP], smaller, rtol=1e-4, atol=1e-4)


def test_the_image_is_brought_along_as_it_was_loaded(config, images):
    # Holes are cut into the image itself where nothing has copied it before.
    _, batch = built(config(augment=MOVED[-1:]))
    for sample, crop in zip(batch['data_samples'], batch['inputs'], strict=True):
        image = mmcv.imread(sample.img_path).transpose(2, 0, 1)
        assert np.array_equal(sample.whole_image.image, image)
        assert not np.array_equal(crop, image)


def test_a_trial_takes_the_images_for_images(config):
    teacher, _ = built(config(stride=4))
    assert teacher(torch.zeros(2, 3, 90, 100))[TAP].shape == (2, 8, 23, 25)


def test_what_does_not_fit_is_an_error(config):
    made = config()
    teacher, batch = built(made)
    del batch['data_samples'][3].whole_image
    with pytest.raises(ValueError, match=r"wrap the training data in dict\(type='WithWholeImage'"):
        teacher(torch.zeros(6, 3, 48, 64), None, batch['data_samples'])
    with pytest.raises(TapError, match=r'did you mean .decode_head\.conv_seg'):
        built(config(), taps=('decode_head.conv_sge',))
    made.train_dataloader.dataset.dataset.pipeline[1].type = 'LoadImageFromNDArray'
    with pytest.raises(TypeError, match=r"'LoadImageFromNDArray'.* has no LoadImageFromFile"):
        DATASETS.build(made.train_dataloader.dataset)


def on_shapes(tiny, nest, run='run'):
    config = tiny('kd/response_kd_shapes.py', run)
    nest(config, 'WholeImageTeacher')
    config.train_dataloader.dataset = ConfigDict(
        type='WithWholeImage', dataset=config.train_dataloader.dataset
    )
    return config


def test_a_training_with_workers_learns_from_it(tiny, nest):
    config = on_shapes(tiny, nest)
    config.train_cfg.max_epochs = 1
    config.train_dataloader.update(num_workers=2, persistent_workers=True)
    runner = Runner.from_cfg(config)
    runner.train()
    assert runner.message_hub.get_scalar('train/terms.logits.loss').current() > 0


def test_the_doctor_measures_it_on_crops_alone(tiny, nest):
    report = check_accuracy(Experiment(on_shapes(tiny, nest)), images=4)
    (row,) = [row for row in report.rows if row['who'].startswith('teacher')]
    assert row['on'] == 'training crops'
