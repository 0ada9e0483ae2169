"""Samplers with a number of labelled images in each batch, and images of a folder without masks."""

from collections import Counter

import numpy as np
import pytest
from mmengine.dataset import BaseDataset, ConcatDataset, RepeatDataset
from mmengine.runner import Runner
from mmengine.runner.loops import _InfiniteDataloaderIterator
from mmseg.registry import DATASETS
from PIL import Image
from torch.utils.data import DataLoader

from segkd_mm.datasets import (
    DataLayoutError,
    FewLabelsEpochSampler,
    FewLabelsInfiniteSampler,
    SampleError,
)
from segkd_mm.datasets.few_labels import split_by_labels
from segkd_mm.labels import UNLABELLED, VOID


class Numbers(BaseDataset):
    """Samples 0, 1, ..., of which those in ``labelled`` have a mask."""

    def __init__(self, size, labelled):
        self.size, self.labelled = size, labelled
        super().__init__(pipeline=[lambda results: results['sample_idx']])

    def load_data_list(self):
        mask = {'seg_map_path': 'mask.png'}
        return [{'img_path': 'a', **(mask if n in self.labelled else {})} for n in range(self.size)]


DATA = Numbers(13, labelled=(2, 5, 11))


def infinite(count, labelled_per_batch=1, batch_size=4, dataset=DATA, **kwargs):
    sampler = iter(
        FewLabelsInfiniteSampler(dataset, batch_size, labelled_per_batch, seed=0, **kwargs)
    )
    return [[next(sampler) for _ in range(batch_size)] for _ in range(count)]


@pytest.mark.parametrize('labelled_per_batch', [1, 2, 4])
def test_each_batch_has_its_labelled_images(labelled_per_batch):
    for batch in infinite(20, labelled_per_batch):
        assert [index in DATA.labelled for index in batch].count(True) == labelled_per_batch


def test_all_images_of_a_kind_come_once_in_a_pass_and_each_pass_in_its_own_order():
    drawn = [index for batch in infinite(30) for index in batch]
    labelled = [int(i) for i in drawn if i in DATA.labelled]
    others = [int(i) for i in drawn if i not in DATA.labelled]
    assert set(Counter(labelled).values()) == {10} and set(Counter(others).values()) == {9}
    passes = [others[start : start + 10] for start in range(0, 90, 10)]
    assert all(sorted(one) == [0, 1, 3, 4, 6, 7, 8, 9, 10, 12] for one in passes)
    assert len({tuple(one) for one in passes}) == 9


def test_without_shuffling_the_order_is_that_of_the_data():
    assert infinite(3, shuffle=False) == [[2, 0, 1, 3], [5, 4, 6, 7], [11, 8, 9, 10]]


def test_the_seed_decides_the_order_and_the_number_the_augmentation():
    first = infinite(5)
    assert first == infinite(5)
    assert [index.place for batch in first[:2] for index in batch] == [(0, 0, n) for n in range(8)]
    other = iter(FewLabelsInfiniteSampler(DATA, 4, 1, seed=1))
    assert [next(other) for _ in range(20)] != [index for batch in first for index in batch]


def test_processes_share_the_passes(monkeypatch):
    drawn = []
    for rank in (0, 1):
        monkeypatch.setattr('mmengine.dataset.sampler.get_dist_info', lambda rank=rank: (rank, 2))
        batches = infinite(5, labelled_per_batch=2)
        assert all(sum(i in DATA.labelled for i in batch) == 2 for batch in batches)
        assert batches[0][3].place == (0, 0, 3 * 2 + rank)
        drawn += [int(index) for batch in batches for index in batch]
    # 20 unlabelled draws are two passes over 10, 20 labelled ones nearly seven over 3.
    counts = Counter(drawn)
    assert {counts[i] for i in range(13) if i not in DATA.labelled} == {2}
    assert {counts[i] for i in DATA.labelled} == {6, 7}


@pytest.mark.parametrize('workers', [0, 2])
def test_a_resumed_loop_goes_on_where_it_stopped(workers):
    def batches(workers):
        sampler = FewLabelsInfiniteSampler(DATA, 4, 1, seed=0)
        return _InfiniteDataloaderIterator(
            DataLoader(DATA, 4, sampler=sampler, num_workers=workers, collate_fn=list)
        )

    whole, resumed = batches(0), batches(workers)
    expected = [next(whole) for _ in range(9)]
    resumed.skip_iter(6)
    assert [next(resumed) for _ in range(3)] == expected[6:]


def test_an_epoch_has_whole_batches_and_the_next_one_goes_on():
    sampler, epochs = FewLabelsEpochSampler(DATA, 4, 1, seed=0), []
    for epoch in range(2):
        sampler.set_epoch(epoch)
        epochs += [*sampler]
        assert len([*sampler]) == len(sampler) == 16
    assert epochs == [index for batch in infinite(8) for index in batch]
    assert [index.place for index in epochs] == [(0, 0, number) for number in range(32)]


def test_mmengine_builds_the_loader(tiny):
    config = tiny('kd/response_kd_shapes.py')
    loader = config.train_dataloader
    loader.dataset = dict(
        type='ConcatDataset',
        datasets=[loader.dataset, dict(type='WithoutLabels', dataset=loader.dataset)],
    )
    loader.sampler = dict(type='FewLabelsEpochSampler', batch_size=4, labelled_per_batch=1)
    built = Runner.build_dataloader(loader, seed=0)
    assert len(built) == 8
    for batch in built:
        ids = [sample.gt_sem_seg.data.unique().tolist() for sample in batch['data_samples']]
        assert [not {UNLABELLED} & {*one} for one in ids] == [True, False, False, False]


def test_labels_are_found_in_wrapped_data_sets_but_not_behind_without_labels(tiny):
    shapes = tiny('student/mnv3s_slim_shapes.py').train_dataloader.dataset
    hidden = DATASETS.build(dict(type='WithoutLabels', dataset=shapes))
    both = ConcatDataset([DATA, DATA])
    both.datasets[1] = hidden
    both.cumulative_sizes = [13, 29]
    assert split_by_labels(both) == ([2, 5, 11], [n for n in range(29) if n not in (2, 5, 11)])
    assert split_by_labels(RepeatDataset(DATA, 2))[0] == [2, 5, 11, 15, 18, 24]


@pytest.mark.parametrize(
    ('labelled_per_batch', 'labelled', 'match'),
    [
        (5, (2,), 'labelled_per_batch is 5, expected 1 to batch_size, which is 4'),
        (0, (2,), 'labelled_per_batch is 0, expected 1 to'),
        (2, (), 'none of the 13 training images has labels'),
        (2, range(13), r'all of the 13 training images have labels, but .* 2 of 4'),
    ],
)
def test_what_cannot_be_drawn_is_an_error(labelled_per_batch, labelled, match):
    with pytest.raises(ValueError, match=f'FewLabelsEpochSampler: {match}'):
        FewLabelsEpochSampler(Numbers(13, labelled), 4, labelled_per_batch, seed=0)


@pytest.fixture
def folder(tmp_path):
    """Four images, the first of which has a mask."""
    for name in 'abcd':
        (tmp_path / 'images').mkdir(exist_ok=True)
        Image.fromarray(np.full((4, 6, 3), 90, np.uint8)).save(tmp_path / f'images/{name}.png')
    (tmp_path / 'masks').mkdir()
    Image.fromarray(np.eye(4, 6, dtype=np.uint8)).save(tmp_path / 'masks/a.png')
    return tmp_path


def of_folder(root, missing_masks, **options):
    pad = dict(type='Pad', size=(6, 6), pad_val=dict(img=0, seg=VOID))
    pipeline = [dict(type='LoadImageFromFile'), dict(type='LoadCheckedAnnotations'), pad]
    return DATASETS.build(
        dict(type='FolderDataset', images=f'{root}/images', masks=f'{root}/masks',
             classes=['sky', 'road', 'car'], missing_masks=missing_masks,
             pipeline=pipeline, **options)
    )  # fmt: skip


def test_images_of_a_folder_without_masks_are_unlabelled_or_left_out(folder):
    dataset = of_folder(folder, 'unlabelled')
    assert split_by_labels(dataset) == ([0], [1, 2, 3])
    assert dataset[0]['gt_seg_map'][:4].tolist() == np.eye(4, 6).tolist()
    assert dataset[2]['gt_seg_map'].tolist() == [[UNLABELLED] * 6] * 4 + [[VOID] * 6] * 2
    assert len(of_folder(folder, 'skip')) == 1


def test_missing_masks_are_an_error_unless_they_are_meant(folder):
    with pytest.raises(DataLayoutError, match=r"no mask 'b' .*missing_masks, see docs/few_labels"):
        of_folder(folder, 'error')
    with pytest.raises(ValueError, match="missing_masks is 'ignore', expected one of"):
        of_folder(folder, 'ignore')
    (folder / 'few.txt').write_text('b\nc\n')
    for missing_masks in ('unlabelled', 'skip'):
        with pytest.raises(DataLayoutError, match="no mask 'b'"):
            of_folder(folder, missing_masks, split=f'{folder}/few.txt')


def test_masks_of_images_with_labels_are_still_checked(folder):
    Image.fromarray(np.full((4, 6), 7, np.uint8)).save(folder / 'masks/a.png')
    with pytest.raises(SampleError, match=r'masks/a\.png'):
        of_folder(folder, 'unlabelled')[0]
