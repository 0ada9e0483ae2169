"""Photos of a config's data and of anywhere."""

import numpy as np
import pytest
import torch
from tiny_student import tiny_student

from segkd_mm.deploy.photos import Inputs, find_photos, input_of, of_files, of_split, paths_of


@pytest.fixture
def config(tiny):
    return tiny('student/mnv3s_slim_shapes.py')


def test_photos_lie_evenly_in_the_split_with_their_truth(config):
    photos = of_split(config, 'train', 4)
    whole = of_split(config, 'train', 99)
    assert len(whole) == 16
    assert paths_of(photos) == [paths_of(whole)[index] for index in (0, 5, 10, 15)]
    assert photos[0]['inputs'].dtype == torch.uint8
    assert photos[0]['inputs'].shape == (3, 160, 160)  # whole: not a training crop
    assert photos[0]['data_samples'].gt_sem_seg.data.shape == (1, 160, 160)


def test_a_seeded_choice_is_the_same_each_time(config):
    first = paths_of(of_split(config, 'train', 8, seed=0))
    assert paths_of(of_split(config, 'train', 8, seed=0)) == first
    assert paths_of(of_split(config, 'train', 8, seed=1)) != first
    assert len(set(first)) == 8


def test_wrapped_data_sets_are_looked_into(config):
    inner = config.train_dataloader.dataset
    own = paths_of(of_split(config, 'train', 99))
    unlabelled = dict(type='WithUnlabelled', labelled=inner, photos='nowhere')
    cached = dict(type='WithTeacherCache', cache='nowhere', dataset=unlabelled)
    config.train_dataloader.dataset = dict(type='ConcatDataset', datasets=[cached, inner])
    assert paths_of(of_split(config, 'train', 99)) == own + own


def test_photos_of_anywhere_need_no_truth(config, shapes):
    files = find_photos([str(shapes / 'JPEGImages')])
    photos = of_files(config, files[:2])
    assert paths_of(photos) == [str(file) for file in files[:2]]
    assert photos[1]['inputs'].shape == (3, 160, 160)
    assert 'gt_sem_seg' not in photos[1]['data_samples']


def test_inputs_are_what_the_model_takes(config):
    preprocessor = tiny_student().data_preprocessor
    photos = of_split(config, 'val', 2)
    raw = Inputs(photos, preprocessor, photo_in=True)
    normalised = Inputs(photos, preprocessor, photo_in=False)
    assert len(raw) == len([*raw]) == 2
    np.testing.assert_array_equal(raw[1][0], photos[1]['inputs'])
    red = (photos[1]['inputs'][2] - 123.675) / 58.395
    np.testing.assert_allclose(normalised[1][0, 0], red, rtol=1e-5)
    assert input_of(photos[0], preprocessor, photo_in=True).shape == (1, 3, 160, 160)
