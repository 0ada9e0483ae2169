"""Images of a config's data and of anywhere."""

import numpy as np
import pytest
import torch
from tiny_student import tiny_student

from segkd_mm.deploy.images import (
    ModelInputs,
    find_images,
    image_paths,
    images_of_files,
    images_of_split,
    model_input,
)


@pytest.fixture
def config(tiny):
    return tiny('student/mnv3s_slim_shapes.py')


def test_images_lie_evenly_in_the_split_with_their_truth(config):
    images = images_of_split(config, 'train', 4)
    whole = images_of_split(config, 'train', 99)
    assert len(whole) == 16
    assert image_paths(images) == [image_paths(whole)[index] for index in (0, 5, 10, 15)]
    assert images[0]['inputs'].dtype == torch.uint8
    assert images[0]['inputs'].shape == (3, 160, 160)  # whole: not a training crop
    assert images[0]['data_samples'].gt_sem_seg.data.shape == (1, 160, 160)


def test_a_seeded_choice_is_the_same_each_time(config):
    first = image_paths(images_of_split(config, 'train', 8, seed=0))
    assert image_paths(images_of_split(config, 'train', 8, seed=0)) == first
    assert image_paths(images_of_split(config, 'train', 8, seed=1)) != first
    assert len(set(first)) == 8


def test_wrapped_data_sets_are_looked_into(config):
    inner = config.train_dataloader.dataset
    own = image_paths(images_of_split(config, 'train', 99))
    unlabelled = dict(type='WithUnlabelled', labelled=inner, images='nowhere')
    cached = dict(type='WithTeacherCache', cache='nowhere', dataset=unlabelled)
    config.train_dataloader.dataset = dict(type='ConcatDataset', datasets=[cached, inner])
    assert image_paths(images_of_split(config, 'train', 99)) == own + own


def test_images_of_anywhere_need_no_truth(config, shapes):
    files = find_images([str(shapes / 'JPEGImages')])
    images = images_of_files(config, files[:2])
    assert image_paths(images) == [str(file) for file in files[:2]]
    assert images[1]['inputs'].shape == (3, 160, 160)
    assert 'gt_sem_seg' not in images[1]['data_samples']


def test_inputs_are_what_the_model_takes(config):
    preprocessor = tiny_student().data_preprocessor
    images = images_of_split(config, 'val', 2)
    raw = ModelInputs(images, preprocessor, image_in=True)
    normalised = ModelInputs(images, preprocessor, image_in=False)
    assert len(raw) == len([*raw]) == 2
    np.testing.assert_array_equal(raw[1][0], images[1]['inputs'])
    red = (images[1]['inputs'][2] - 123.675) / 58.395
    np.testing.assert_allclose(normalised[1][0, 0], red, rtol=1e-5)
    assert model_input(images[0], preprocessor, image_in=True).shape == (1, 3, 160, 160)
