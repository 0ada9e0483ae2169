"""Samplers and a transform that make random augmentation reproducible, also after a resume.

The sampler numbers the samples; the number is passed with the index to the worker, where the first
transform of the pipeline seeds the random generators with it. The augmentation then depends neither
on the number of workers nor on whether the run was stopped and resumed.
"""

import random
from collections.abc import Iterator

import numpy as np
from mmcv.transforms import BaseTransform
from mmengine.dataset import DefaultSampler, InfiniteSampler
from mmseg.registry import DATA_SAMPLERS, TRANSFORMS


class ReplayIndex(int):
    """Index of a sample, with the number of the sample in the training.

    Attributes:
        place: Seed of the run, rank, and number of the sample among all that the rank draws.
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


@DATA_SAMPLERS.register_module()
class ReplayInfiniteSampler(InfiniteSampler):
    """mmengine's ``InfiniteSampler``, for loops that count iterations; yields ReplayIndex."""

    replays = True
    """Whether a resumed run gets the same samples; read by ``IterationSeedHook``."""

    def _indices_of_rank(self) -> Iterator[ReplayIndex]:
        for number, index in enumerate(super()._indices_of_rank()):
            yield ReplayIndex(index, (self.seed, self.rank, number))


@DATA_SAMPLERS.register_module()
class ReplayEpochSampler(DefaultSampler):
    """mmengine's ``DefaultSampler``, for loops that count epochs; yields ReplayIndex."""

    replays = True
    """Whether a resumed run gets the same samples; read by ``IterationSeedHook``."""

    def __iter__(self) -> Iterator[ReplayIndex]:
        for number, index in enumerate(super().__iter__(), self.epoch * self.num_samples):
            yield ReplayIndex(index, (self.seed, self.rank, number))


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
