"""Loading from memory gives what loading from files gives, in all workers, within its bound."""

import copy
import multiprocessing
import pickle
from functools import partial

import cv2
import numpy as np
import pytest
from mmcv.transforms import LoadImageFromFile

from segkd_mm.datasets import LoadCachedAnnotations, LoadCachedImage, LoadCheckedAnnotations
from segkd_mm.datasets.sample_error import SampleError
from segkd_mm.datasets.shared_arrays import HEADER, MEBIBYTE, SharedArrays

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
    first = loaded(steps, folder)
    first['img'][:] = 0  # as a transform in place would
    for file in folder.iterdir():
        file.unlink()
    found = loaded(steps, folder)
    assert found.keys() == wanted.keys()
    for key, value in wanted.items():
        np.testing.assert_array_equal(found[key], value)
    assert repr(steps[0]) == repr(LoadImageFromFile())  # so that a teacher's cache fits both


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
