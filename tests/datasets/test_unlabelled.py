from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.dataset import pseudo_collate
from mmseg.datasets.transforms import RandomCrop
from mmseg.registry import DATASETS, MODELS
from torch.utils.data import DataLoader

from segkd_mm.config import load_config
from segkd_mm.datasets import DataLayoutError, ReplayIndex, ReplayInfiniteSampler, WithUnlabelled
from segkd_mm.labels import UNLABELLED, VOID

LOAD = [{'type': 'SeedAugmentation'}, {'type': 'LoadImageFromFile'}, {'type': 'LoadAnnotations'}]
AUGMENT = [
    {'type': 'RandomResize', 'scale': (160, 160), 'ratio_range': (0.5, 1.5), 'keep_ratio': True},
    {'type': 'RandomCrop', 'crop_size': (64, 64), 'cat_max_ratio': 0.75},
    {'type': 'RandomFlip', 'prob': 0.5},
    {'type': 'RandomRotate', 'prob': 1.0, 'degree': 30},
    {'type': 'PhotoMetricDistortion'},
    {'type': 'PackSegInputs'},
]


def whitewash(results):
    """Make the image one that is nowhere black, so that black is what rotation brings in."""
    results['img'][:] = 255
    return results


@pytest.fixture(scope='session')
def images(tmp_path_factory) -> Path:
    """Three images of 96 x 128, two of them in a folder below, and what is none."""
    folder = tmp_path_factory.mktemp('images')
    (folder / 'below').mkdir()
    for name, grey in [('b.PNG', 40), ('below/a.jpeg', 80), ('below/c.webp', 160)]:
        cv2.imwrite(f'{folder}/{name}', np.full((96, 128, 3), grey, np.uint8))
    for name in ('notes.txt', '._b.jpg'):
        (folder / name).write_text('no image')
    return folder


@pytest.fixture
def labelled(shapes):
    """Make the config of the shapes, 16 images, with a pipeline."""

    def make(pipeline):
        return {
            'type': 'ShapesDataset', 'data_root': str(shapes), 'num_train': 16, 'num_val': 4,
            'data_prefix': {'img_path': 'JPEGImages', 'seg_map_path': 'SegmentationClass'},
            'ann_file': 'ImageSets/Segmentation/train.txt', 'pipeline': pipeline,
        }  # fmt: skip

    return make


def place(index, number=0):
    return ReplayIndex(index, (0, 0, number))


def test_labelled_samples_come_first_and_then_the_images_in_order(labelled, images):
    both = WithUnlabelled(labelled(LOAD), str(images))
    alone = DATASETS.build(labelled(LOAD))
    assert len(both) == 16 + 3
    assert both.metainfo == alone.metainfo
    assert np.array_equal(both[place(15)]['gt_seg_map'], alone[place(15)]['gt_seg_map'])
    found = [both[place(index)] for index in (16, 17, 18)]
    assert [Path(one['img_path']).name for one in found] == ['b.PNG', 'a.jpeg', 'c.webp']
    assert [one['img'].mean().round() for one in found] == [40, 80, 160]
    for one in found:
        assert one['gt_seg_map'].shape == (96, 128)
        assert (one['gt_seg_map'] == UNLABELLED).all()


def test_several_folders_are_taken_one_after_another(labelled, images):
    both = WithUnlabelled(labelled(LOAD), [str(images / 'below'), str(images)])
    names = [Path(both[place(index)]['img_path']).name for index in range(16, 21)]
    assert names == ['a.jpeg', 'c.webp', 'b.PNG', 'a.jpeg', 'c.webp']


def test_what_rotation_brings_in_is_void_and_the_image_is_not(labelled, images):
    pipeline = [*LOAD, whitewash, *AUGMENT[:-2], AUGMENT[-1]]
    both = WithUnlabelled(labelled(pipeline), str(images))
    for number in range(20):
        sample = both[place(16 + number % 3, number)]
        label, image = sample['data_samples'].gt_sem_seg.data[0], sample['inputs'].sum(0)
        black, white = label[image == 0], label[image == 3 * 255]
        assert len(black) > 50 and len(white) > 50
        # Bilinear and nearest place the edge up to a pixel apart.
        assert (black == VOID).float().mean() > 0.9
        assert (white == UNLABELLED).float().mean() > 0.9
        assert set(label.unique().tolist()) == {UNLABELLED, VOID}


def test_padding_to_the_size_of_the_crop_is_void(labelled, images):
    both = WithUnlabelled(labelled([*LOAD, AUGMENT[-1]]), str(images))
    preprocessor = MODELS.build({'type': 'SegDataPreProcessor', 'size': (128, 160)})
    batch = preprocessor(pseudo_collate([both[place(16)]]), training=True)
    label = batch['data_samples'][0].gt_sem_seg.data[0]
    assert (label[:96, :128] == UNLABELLED).all()
    assert (label == VOID).sum() == 128 * 160 - 96 * 128


def take(dataset, workers):
    sampler = ReplayInfiniteSampler(dataset, seed=0)
    loader = DataLoader(dataset, batch_size=4, sampler=sampler, num_workers=workers,
                        collate_fn=pseudo_collate)  # fmt: skip
    batches = iter(loader)
    return [sample for _ in range(8) for sample in pairs(next(batches))]


def pairs(batch):
    return list(zip(batch['inputs'], batch['data_samples'], strict=True))


def test_the_number_of_workers_does_not_matter(labelled, images):
    config = {'type': 'RepeatDataset', 'dataset': labelled([*LOAD, *AUGMENT]), 'times': 2}
    both = WithUnlabelled(config, str(images))
    assert len(both) == 2 * 16 + 3
    alone, shared = take(both, 0), take(both, 2)
    for (image, sample), (same_image, same_sample) in zip(alone, shared, strict=True):
        assert sample.img_path == same_sample.img_path
        assert torch.equal(image, same_image)
        assert torch.equal(sample.gt_sem_seg.data, same_sample.gt_sem_seg.data)
    kinds = {bool((sample.gt_sem_seg.data == UNLABELLED).any()) for _, sample in alone}
    assert kinds == {True, False}


def test_the_pipeline_is_that_of_the_first_of_several_data_sets(labelled, images):
    config = {'type': 'ConcatDataset', 'datasets': [labelled(LOAD), labelled(LOAD)]}
    both = WithUnlabelled(config, str(images))
    assert len(both) == 2 * 16 + 3
    assert (both[place(32)]['gt_seg_map'] == UNLABELLED).all()


def test_images_are_cropped_without_a_look_for_classes_which_they_have_not(labelled, images):
    both = WithUnlabelled(labelled([*LOAD, *AUGMENT]), str(images))
    ratios = [
        t.cat_max_ratio for part in both.datasets for t in part.pipeline.transforms
        if isinstance(t, RandomCrop)
    ]  # fmt: skip
    assert ratios == [0.75, 1]


def test_images_go_through_the_light_pipeline_too(labelled, images):
    config = load_config('student/mnv3s_slim_shapes.py')
    both = WithUnlabelled(labelled(config.light_pipeline), str(images))
    looks = [part.pipeline.transforms[3].cat_max_ratio for part in both.datasets]
    assert looks == [0.75, 1]
    sample = both[place(17)]['data_samples']
    assert set(sample.gt_sem_seg.data.unique().tolist()) == {UNLABELLED}
    assert sample.crop_to_image.shape == (2, 3)


def test_a_labelled_sample_is_what_it_is_alone(labelled, images):
    both = WithUnlabelled(labelled([*LOAD, *AUGMENT]), str(images))
    alone = DATASETS.build(labelled([*LOAD, *AUGMENT]))
    assert torch.equal(both[place(3, 5)]['inputs'], alone[place(3, 5)]['inputs'])


def test_a_folder_that_is_not_there_or_holds_no_images_is_an_error(labelled, tmp_path):
    (tmp_path / 'empty').mkdir()
    (tmp_path / 'empty' / 'a.txt').write_text('')
    for name, found in [('absent', 'does not exist'), ('empty', 'holds no images')]:
        with pytest.raises(DataLayoutError, match=rf'{name} {found}(.|\n)*dataset.images=/path'):
            WithUnlabelled(labelled(LOAD), str(tmp_path / name))


def test_a_pipeline_without_labels_to_leave_out_is_an_error(labelled, images):
    with pytest.raises(ValueError, match=r"has no LoadAnnotations .* \['LoadImageFromFile'\]"):
        WithUnlabelled(labelled([{'type': 'LoadImageFromFile'}]), str(images))
    mixed = {'type': 'MultiImageMixDataset', 'dataset': labelled(LOAD),
             'pipeline': [{'type': 'RandomFlip', 'prob': 0.5}]}  # fmt: skip
    with pytest.raises(ValueError, match=r"MultiImageMixDataset has no .* \['RandomFlip'\]"):
        WithUnlabelled(mixed, str(images))


def test_images_of_voc_beside_camvid(real_data):
    config = load_config('kd/response_kd_unlabelled_camvid.py', {
        'data_root': f'{real_data}/camvid',
        'train_dataloader.dataset.images': f'{real_data}/voc/VOC2012/JPEGImages',
    })  # fmt: skip
    both = DATASETS.build(config.train_dataloader.dataset)
    assert len(both) == 367 + 1745
    samples = [both[place(index, index)] for index in (0, 366, 367, 1000, 2111)]
    batch = MODELS.build(config.preprocessor)(pseudo_collate(samples), training=True)
    assert batch['inputs'].shape == (5, 3, *config.crop_size)
    ids = [set(one.gt_sem_seg.data.unique().tolist()) for one in batch['data_samples']]
    assert all(labels <= {*range(11), VOID} for labels in ids[:2])
    assert all(UNLABELLED in labels <= {UNLABELLED, VOID} for labels in ids[2:])
