import pickle
import random
from itertools import islice

import numpy as np
import pytest
import torch
from mmengine.dataset import Compose, ConcatDataset, RepeatDataset, pseudo_collate
from mmengine.registry import init_default_scope
from mmengine.runner.loops import _InfiniteDataloaderIterator
from mmseg.registry import DATASETS
from torch.utils.data import DataLoader

from segkd_mm.datasets import (
    ReplayEpochSampler,
    ReplayIndex,
    ReplayInfiniteSampler,
    SeedAugmentation,
    ShapesDataset,
)
from segkd_mm.datasets.replay import draws_again

PIPELINE = [
    {'type': 'SeedAugmentation'},
    {'type': 'LoadImageFromFile'},
    {'type': 'LoadAnnotations'},
    {'type': 'RandomResize', 'scale': (160, 160), 'ratio_range': (0.75, 1.5), 'keep_ratio': True},
    {'type': 'RandomCrop', 'crop_size': (64, 64), 'cat_max_ratio': 0.75},
    {'type': 'RandomFlip', 'prob': 0.5},
    {'type': 'PhotoMetricDistortion'},
    {'type': 'PackSegInputs'},
]


@pytest.fixture(scope='module')
def dataset(tmp_path_factory):
    """Six shapes."""
    init_default_scope('mmseg')
    return ShapesDataset(
        str(tmp_path_factory.mktemp('replay') / 'shapes'),
        num_train=6,
        num_val=1,
        data_prefix={'img_path': 'JPEGImages', 'seg_map_path': 'SegmentationClass'},
        ann_file='ImageSets/Segmentation/train.txt',
        pipeline=PIPELINE,
    )


def loader(dataset, sampler, workers=0):
    return DataLoader(
        dataset,
        batch_size=2,
        sampler=sampler,
        num_workers=workers,
        persistent_workers=workers > 0,
        collate_fn=pseudo_collate,
    )


def take(iterator, number):
    return [torch.stack(next(iterator)['inputs']) for _ in range(number)]


def equal(ours, theirs):
    return all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))


def test_workers_do_not_matter(dataset):
    alone, shared = (
        take(iter(loader(dataset, ReplayInfiniteSampler(dataset, seed=0), workers)), 5)
        for workers in (0, 2)
    )
    assert equal(alone, shared)


def test_the_state_of_the_generators_does_not_matter(dataset):
    first = take(iter(loader(dataset, ReplayInfiniteSampler(dataset, seed=0))), 1)
    np.random.rand(5)
    assert equal(first, take(iter(loader(dataset, ReplayInfiniteSampler(dataset, seed=0))), 1))
    assert not equal(first, take(iter(loader(dataset, ReplayInfiniteSampler(dataset, seed=1))), 1))


@pytest.mark.parametrize('workers', [0, 2])
def test_a_resumed_loop_goes_on_where_it_stopped(dataset, workers):
    whole = take(iter(loader(dataset, ReplayInfiniteSampler(dataset, seed=0))), 5)
    resumed = _InfiniteDataloaderIterator(
        loader(dataset, ReplayInfiniteSampler(dataset, seed=0), workers)
    )
    resumed.skip_iter(3)
    assert equal(whole[3:], take(resumed, 2))


def test_epochs_differ_and_come_again(dataset):
    epochs = []
    for workers in (0, 2):
        sampler = ReplayEpochSampler(dataset, shuffle=False, seed=0)
        batches = loader(dataset, sampler, workers)
        for epoch in (0, 1):
            sampler.set_epoch(epoch)
            epochs.append(take(iter(batches), 3))
    first, second, first_again, second_again = epochs
    assert equal(first, first_again)
    assert equal(second, second_again)
    assert not any(torch.equal(a, b) for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize('kind', [ReplayEpochSampler, ReplayInfiniteSampler])
def test_processes_draw_in_turn_what_one_process_draws(kind, monkeypatch):
    def drawn(rank, processes):
        monkeypatch.setattr('mmengine.dataset.sampler.get_dist_info', lambda: (rank, processes))
        sampler = kind(range(6), seed=5)
        sampler.set_epoch(1)
        return [(index, index.place) for index in islice(sampler, 6 // processes)]

    alone = drawn(0, 1)
    for processes in (2, 3):
        shares = [drawn(rank, processes) for rank in range(processes)]
        assert [one for turn in zip(*shares, strict=True) for one in turn] == alone


def test_processes_have_equal_shares_of_images_that_do_not_divide(monkeypatch):
    shares = []
    for rank in range(2):
        monkeypatch.setattr('mmengine.dataset.sampler.get_dist_info', lambda rank=rank: (rank, 2))
        sampler = ReplayEpochSampler(range(5), shuffle=False, seed=0)
        shares.append([*sampler])
        infinite = islice(ReplayInfiniteSampler(range(5), shuffle=False, seed=0), 5)
        assert [*infinite] == [[0, 2, 4, 1, 3], [1, 3, 0, 2, 4]][rank]
    assert shares == [[0, 2, 4], [1, 3, 0]]  # the first image comes twice


def test_the_second_epoch_counts_on():
    sampler = ReplayEpochSampler(range(3), shuffle=False, seed=0)
    sampler.set_epoch(2)
    assert [index.place for index in sampler] == [(0, 0, 6), (0, 0, 7), (0, 0, 8)]


def test_every_part_of_the_place_seeds():
    def draw(*place):
        SeedAugmentation()({'sample_idx': ReplayIndex(0, place)})
        return np.random.rand(), random.random()

    draws = [draw(0, 0, 0), draw(1, 0, 0), draw(0, 1, 0), draw(0, 0, 1)]
    assert draws[0] == draw(0, 0, 0)
    assert len({number for pair in draws for number in pair}) == 8


def test_torch_is_not_seeded():
    before = torch.get_rng_state()
    SeedAugmentation()({'sample_idx': ReplayIndex(0, (0, 0, 0))})
    assert torch.equal(before, torch.get_rng_state())


def test_the_place_survives_pickling_and_dataset_wrappers(dataset):
    index = pickle.loads(pickle.dumps(ReplayIndex(8, (1, 2, 3))))
    assert (index, index.place) == (8, (1, 2, 3))
    expected = dataset[ReplayIndex(2, (1, 2, 3))]['inputs']
    assert torch.equal(ConcatDataset([dataset, dataset])[index]['inputs'], expected)
    assert torch.equal(RepeatDataset(dataset, 2)[index]['inputs'], expected)


def test_the_place_survives_class_balancing_under_mmengines_name(dataset):
    config = dict(type='ClassBalancedDataset', dataset=dataset, oversample_thr=0.9)
    balanced = DATASETS.build(config)
    index = balanced.repeat_indices.index(2)
    expected = dataset[ReplayIndex(2, (1, 2, 3))]['inputs']
    assert torch.equal(balanced[ReplayIndex(index, (1, 2, 3))]['inputs'], expected)
    assert torch.is_tensor(balanced[index]['inputs'])  # also by a plain index


def test_a_mosaic_draws_again_and_only_samples_that_there_are(dataset, monkeypatch):
    config = dict(
        type='MultiImageMixDataset', dataset=ConcatDataset([dataset]), pipeline=[
            dict(type='RandomMosaic', prob=1.0, img_scale=(64, 64)), dict(type='PackSegInputs')
        ],
    )  # fmt: skip
    monkeypatch.setattr(dataset, 'pipeline', Compose(PIPELINE[:3]))
    mixed = DATASETS.build(config)
    first, again = (mixed[ReplayIndex(1, (0, 0, 5))]['inputs'] for _ in range(2))
    assert first.shape == (3, 128, 128)
    assert torch.equal(first, again)
    assert not torch.equal(first, mixed[ReplayIndex(1, (0, 0, 6))]['inputs'])
    drawn = {i for _ in range(50) for i in mixed.pipeline[0].get_indices(dataset)}
    assert drawn == {*range(6)}


def test_samples_that_differ_when_drawn_again_are_found_and_no_random_number_is_used(
    dataset, monkeypatch
):
    assert draws_again(range(3))
    assert draws_again(dataset)
    np.random.seed(3)
    expected = np.random.rand()
    monkeypatch.setattr(dataset, 'pipeline', Compose(PIPELINE[1:]))
    np.random.seed(3)
    assert not draws_again(dataset)
    assert np.random.rand() == expected


def test_a_plain_index_gives_a_randomly_augmented_sample(dataset):
    random.seed(0)
    np.random.seed(0)
    first, second = dataset[3], dataset[3]
    assert first['data_samples'].img_path == second['data_samples'].img_path
    assert first['inputs'].shape == second['inputs'].shape == (3, 64, 64)
    assert not torch.equal(first['inputs'], second['inputs'])


def test_a_plain_index_leaves_the_generators_alone():
    np.random.seed(7)
    expected = np.random.rand()
    np.random.seed(7)
    SeedAugmentation()({'sample_idx': 3})
    assert np.random.rand() == expected
