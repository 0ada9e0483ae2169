"""Loading from memory gives what loading from files gives, in all workers, within its bound."""

import copy
import multiprocessing
import os
import pickle
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmcv.transforms import LoadImageFromFile
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmseg.registry import DATASETS
from torch.utils.data import DataLoader

from segkd_mm.config import config_dir
from segkd_mm.datasets import (
    LoadCachedAnnotations,
    LoadCachedImage,
    LoadCheckedAnnotations,
    ReplayInfiniteSampler,
)
from segkd_mm.datasets.sample_error import SampleError
from segkd_mm.datasets.shared_arrays import HEADER, MEBIBYTE, SharedArrays

CACHED = ['SeedAugmentation', 'LoadCachedImage', 'LoadCachedAnnotations']
FORK = multiprocessing.get_context('fork')


def sample(folder):
    image, mask = folder / 'a.png', folder / 'mask.png'
    return {'img_path': str(image), 'seg_map_path': str(mask), 'reduce_zero_label': False,
            'label_map': {0: 1, 1: 0}, 'num_classes': 2, 'seg_fields': []}  # fmt: skip


def loaded(steps, folder):
    results = sample(folder)
    for step in steps:
        results = step(results)
    return results


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    cv2.imwrite(str(tmp_path / 'a.png'), rng.integers(0, 256, (20, 30, 3)).astype(np.uint8))
    cv2.imwrite(str(tmp_path / 'mask.png'), rng.integers(0, 2, (20, 30)).astype(np.uint8))
    return tmp_path


def test_a_sample_is_as_from_its_files_and_later_without_them(folder):
    wanted = loaded([LoadImageFromFile(), LoadCheckedAnnotations()], folder)
    steps = [LoadCachedImage(), LoadCachedAnnotations()]
    loaded(steps, folder)
    for file in folder.iterdir():
        file.unlink()
    again = loaded(steps, folder)
    again['img'][:] = again['gt_seg_map'][:] = 0  # as a transform in place would
    found = loaded(steps, folder)
    assert found.keys() == wanted.keys()
    for key, value in wanted.items():
        np.testing.assert_array_equal(found[key], value)
    assert repr(steps[0]) == repr(LoadImageFromFile())  # so that a teacher's cache fits both


def test_masks_are_kept_by_all_that_decides_them(folder):
    """One object may serve two data sets whose ids mean other classes, or images of other sizes."""
    steps = [LoadCachedImage(), LoadCachedAnnotations()]
    wanted = loaded(steps, folder)['gt_seg_map']
    results = steps[0](sample(folder))
    swapped = steps[1]({**results, 'label_map': {0: 0, 1: 1}, 'seg_fields': []})['gt_seg_map']
    np.testing.assert_array_equal(swapped, 1 - wanted)
    with pytest.raises(SampleError, match='24'):
        steps[1]({**results, 'ori_shape': (24, 30), 'seg_fields': []})


def test_a_file_that_is_to_be_ignored_is_ignored(tmp_path):
    for content in (None, b''):
        if content is not None:
            (tmp_path / 'no.png').write_bytes(content)
        results = {'img_path': str(tmp_path / 'no.png')}
        assert LoadCachedImage(ignore_empty=True)(results) is None


@pytest.mark.parametrize('mebibytes', [-1, float('nan'), '100', 1e13, float('inf'), None])
def test_memory_that_cannot_be_had_is_named(mebibytes):
    with pytest.raises(ValueError, match=f'mebibytes={mebibytes!r}.*free'):
        LoadCachedImage(mebibytes)


def test_samples_are_those_of_the_light_pipeline(shapes):
    """Also with the whole image beside, from two workers, in a second epoch from memory."""
    config = Config.fromfile(config_dir() / '_base_' / 'datasets' / 'shapes.py')
    loaders = len(config.load_cached)
    pipelines = [config.light_pipeline, [*config.load_cached, *config.light_pipeline[loaders:]]]
    assert [step.type for step in pipelines[1][:loaders]] == CACHED
    wanted, found = (samples(config, pipeline, shapes) for pipeline in pipelines)
    for one, other in zip(wanted, found, strict=True):
        for a, b in zip(one['inputs'], other['inputs'], strict=True):
            assert torch.equal(a, b)
        for a, b in zip(one['data_samples'], other['data_samples'], strict=True):
            assert torch.equal(a.gt_sem_seg.data, b.gt_sem_seg.data)
            assert torch.equal(a.whole_image.image, b.whole_image.image)


def samples(config, pipeline, root):
    options = dict(config.train_dataloader.dataset, data_root=str(root), num_train=16, num_val=4)
    dataset = DATASETS.build(dict(type='WithWholeImage', dataset={**options, 'pipeline': pipeline}))
    batches = DataLoader(
        dataset, 4, sampler=ReplayInfiniteSampler(dataset, seed=0), num_workers=2,
        collate_fn=pseudo_collate, multiprocessing_context='fork',
    )  # fmt: skip
    return [*islice(batches, 8)]


def test_a_mask_that_was_refused_is_refused_again(folder):
    cv2.imwrite(str(folder / 'mask.png'), np.full((20, 30), 7, np.uint8))
    steps = [LoadCachedImage(), LoadCachedAnnotations()]
    for _ in range(2):
        with pytest.raises(SampleError, match=r'mask\.png'):
            loaded(steps, folder)


@pytest.mark.parametrize(('spare', 'computed'), [(0, 'ab'), (-1, 'abbbb')])
def test_no_more_is_kept_than_there_is_room_for(spare, computed):
    # Where the last array ends, in 8 bytes, and two arrays of 100 bytes behind their headers.
    arrays, calls = SharedArrays((8 + 2 * (HEADER.size + 100) + spare) / MEBIBYTE), []

    def compute(key):
        calls.append(key)
        return np.full(100, ord(key), np.uint8)

    for key in 'aabbaabb':
        assert (arrays.get(key, partial(compute, key)) == ord(key)).all()
    assert ''.join(calls) == computed


@pytest.mark.parametrize(
    'value',
    [
        None, 'text', np.zeros((0, 5)), np.ones((2, 2, 2, 2)), np.float64(3), np.array([None]),
        np.zeros(2, 'i4,f8'), np.array(['2000-01-01'], 'M8[D]'),
    ],
)  # fmt: skip
def test_other_values_are_computed_each_time_and_harm_none(value):
    arrays, calls = SharedArrays(1), []
    for key in (Path('a'), 'a', 'b\udce9'):  # of a name that is no UTF-8, too
        assert arrays.get(key, lambda: calls.append(0) or value) is value
    assert arrays.get('c', lambda: np.arange(3)).tolist() == [0, 1, 2]
    assert arrays.get('c', lambda: pytest.fail('it was not kept')).tolist() == [0, 1, 2]
    assert len(calls) == 3


def die_alone(arrays):
    with arrays._alone():
        os.kill(os.getpid(), signal.SIGKILL)


def test_a_worker_that_is_killed_in_the_midst_stops_nobody():
    arrays = SharedArrays(1)
    worker = FORK.Process(target=die_alone, args=(arrays,))
    worker.start()
    worker.join()
    assert worker.exitcode == -signal.SIGKILL
    assert arrays.get('a', lambda: np.arange(2)).tolist() == [0, 1]


def test_threads_find_their_own():
    arrays, interval = SharedArrays(64), sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(4) as pool:
            for done in [pool.submit(keep, arrays, range(100)) for _ in range(4)]:
                done.result()
    finally:
        sys.setswitchinterval(interval)


def test_copies_start_empty():
    arrays = SharedArrays(1)
    arrays.get('a', lambda: np.zeros(3))
    for other in (copy.deepcopy(arrays), pickle.loads(pickle.dumps(arrays))):
        assert other.mebibytes == 1
        assert other.get('a', lambda: np.ones(2)).tolist() == [1, 1]


def array_of(number):
    rng = np.random.default_rng(number)
    shape = rng.integers(1, 40, rng.integers(1, 4))
    return rng.integers(0, 200, shape).astype(('u1', '<i8', '<f4')[number % 3])


def keep(arrays, numbers):
    for number in numbers:
        np.testing.assert_array_equal(arrays.get(str(number), lambda n=number: array_of(n)),
                                      array_of(number))  # fmt: skip


def test_processes_find_what_others_have_kept():
    """Two at once, with half of their keys in common: no array is lost or mixed with another."""
    arrays = SharedArrays(64)
    workers = [
        FORK.Process(target=keep, args=(arrays, numbers))
        for numbers in (range(200), range(299, 99, -1))
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0
    for number in range(300):
        found = arrays.get(str(number), lambda: pytest.fail('it was not kept'))
        np.testing.assert_array_equal(found, array_of(number))
        assert found.dtype == array_of(number).dtype
