"""Samplers and a transform that make random augmentation reproducible, also after a resume.

The sampler numbers the samples; the number is passed with the index to the worker, where the first
transform of the pipeline seeds the random generators with it. The augmentation then depends neither
on the number of workers nor on whether the run was stopped and resumed.
"""

import logging
import random
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count, islice
from typing import Any

import numpy as np
import torch
from mmcv.transforms import BaseTransform
from mmengine.dataset import ClassBalancedDataset, DefaultSampler, InfiniteSampler
from mmengine.logging import print_log
from mmseg.registry import DATA_SAMPLERS, DATASETS, TRANSFORMS


class ReplayIndex(int):
    """Index of a sample, with the number of the sample in the training.

    Attributes:
        place: Seed of the run, 0, and number of the sample among all that the run draws.
    """

    place: tuple[int, int, int]

    def __new__(cls, index: int, place: tuple[int, int, int]) -> 'ReplayIndex':
        self = super().__new__(cls, index)
        self.place = place
        return self

    def __getnewargs__(self) -> tuple[int, tuple[int, int, int]]:
        return int(self), self.place

    # ConcatDataset subtracts and RepeatDataset takes the remainder; both must keep the place.
    def __sub__(self, other: int) -> 'ReplayIndex':
        return ReplayIndex(int(self) - other, self.place)

    def __mod__(self, other: int) -> 'ReplayIndex':
        return ReplayIndex(int(self) % other, self.place)


class Replaying:
    """Mixin of a sampler: it warns of a data set that draws other samples after a resume.

    Its processes take the samples in turn, and a sample's place is that in one process with
    the same global batch: any number of processes draws the same augmented images.
    """

    replays = True
    """Whether a resumed run gets the same samples; read by ``IterationSeedHook``."""

    def __init__(self, dataset: Any, *args, **kwargs) -> None:
        super().__init__(dataset, *args, **kwargs)
        if not draws_again(dataset):
            print_log(
                f'A sample of {type(dataset).__name__}, drawn twice with one seed, is another each '
                'time: a resumed training will differ from one that was never stopped. '
                'SeedAugmentation must be the first transform of the pipeline, wrappers of the '
                'data set must pass the index on, and transforms draw from random or numpy.random.',
                'current',
                logging.WARNING,
            )

    def _placed(self, index: int, number: int) -> ReplayIndex:
        """A sample with its place, given its number among those of all processes."""
        return ReplayIndex(index, (self.seed, 0, number))


def draws_again(dataset: Any) -> bool:
    """Whether a sample of the training data is the same where it is drawn again with its place."""
    with _kept_generators():
        first, again = (dataset[ReplayIndex(0, (0, 0, 0))] for _ in range(2))
    if not (isinstance(first, dict) and isinstance(first.get('inputs'), torch.Tensor)):
        return True
    return torch.equal(first['inputs'], again['inputs'])


@contextmanager
def _kept_generators() -> Iterator[None]:
    """Inside the block random numbers may be drawn; behind it are those that came anyway."""
    states = random.getstate(), np.random.get_state()
    with torch.random.fork_rng(devices=[]):
        yield
    random.setstate(states[0])
    np.random.set_state(states[1])


@DATA_SAMPLERS.register_module()
class ReplayInfiniteSampler(Replaying, InfiniteSampler):
    """mmengine's ``InfiniteSampler``, for loops that count iterations; yields ReplayIndex."""

    def _indices_of_rank(self) -> Iterator[ReplayIndex]:
        numbers = count(self.rank, self.world_size)
        yield from map(self._placed, super()._indices_of_rank(), numbers)


@DATA_SAMPLERS.register_module()
class ReplayEpochSampler(Replaying, DefaultSampler):
    """mmengine's ``DefaultSampler``, for loops that count epochs; yields ReplayIndex."""

    start = 0
    """How many samples of the epoch to leave out: a training that was stopped has had them."""

    def __iter__(self) -> Iterator[ReplayIndex]:
        numbers = count(self.epoch * len(self.dataset) + self.rank, self.world_size)
        placed = map(self._placed, super().__iter__(), numbers)
        yield from islice(placed, self.start, None)


@DATASETS.register_module(name='ClassBalancedDataset')
class ReplayClassBalancedDataset(ClassBalancedDataset):
    """mmengine's ``ClassBalancedDataset``, under its name in mmseg; it keeps the place."""

    def _get_ori_dataset_idx(self, idx: int) -> int:
        index = super()._get_ori_dataset_idx(idx)
        return ReplayIndex(index, idx.place) if isinstance(idx, ReplayIndex) else index


@TRANSFORMS.register_module()
class SeedAugmentation(BaseTransform):
    """Seed ``numpy.random`` and ``random``, which mmseg's augmentations use, with a ReplayIndex.

    It is the first transform of the training pipeline. With a plain index, as in ``dataset[0]``,
    nothing is seeded and the augmentation is another one each time; a training with a sampler of
    plain indices is refused by ``IterationSeedHook``. torch's generator is left alone: without
    workers dropout uses it too.
    """

    def transform(self, results: dict) -> dict:
        index = results['sample_idx']
        if isinstance(index, ReplayIndex):
            state = np.random.SeedSequence(index.place).generate_state(4)
            np.random.seed(state)
            random.seed(state.tobytes())
        return results
