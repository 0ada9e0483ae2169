"""Random augmentations that depend on the seed and the place in the training stream alone.

A sampler numbers the samples, the number travels with the index into the worker, and the first
transform of the pipeline seeds from it. So it does not matter how many workers load the data, nor
whether a run was stopped and resumed.
"""

import random
from collections.abc import Iterator

import numpy as np
from mmcv.transforms import BaseTransform
from mmengine.dataset import DefaultSampler, InfiniteSampler
from mmseg.registry import DATA_SAMPLERS, TRANSFORMS


class ReplayIndex(int):
    """An index into a dataset that knows its place in the training stream.

    Attributes:
        place: Seed of the run, rank, and number of the sample in the stream of this rank.
    """

    place: tuple[int, int, int]

    def __new__(cls, index: int, place: tuple[int, int, int]) -> 'ReplayIndex':
        self = super().__new__(cls, index)
        self.place = place
        return self

    def __getnewargs__(self) -> tuple[int, tuple[int, int, int]]:
        return int(self), self.place

    # ConcatDataset subtracts and RepeatDataset takes the remainder; the place has to survive both.
    def __sub__(self, other: int) -> 'ReplayIndex':
        return ReplayIndex(int(self) - other, self.place)

    def __mod__(self, other: int) -> 'ReplayIndex':
        return ReplayIndex(int(self) % other, self.place)


@DATA_SAMPLERS.register_module()
class ReplayInfiniteSampler(InfiniteSampler):
    """mmengine's ``InfiniteSampler``, for loops that count iterations; yields ReplayIndex."""

    def _indices_of_rank(self) -> Iterator[ReplayIndex]:
        for number, index in enumerate(super()._indices_of_rank()):
            yield ReplayIndex(index, (self.seed, self.rank, number))


@DATA_SAMPLERS.register_module()
class ReplayEpochSampler(DefaultSampler):
    """mmengine's ``DefaultSampler``, for loops that count epochs; yields ReplayIndex."""

    def __iter__(self) -> Iterator[ReplayIndex]:
        for number, index in enumerate(super().__iter__(), self.epoch * self.num_samples):
            yield ReplayIndex(index, (self.seed, self.rank, number))


@TRANSFORMS.register_module()
class SeedAugmentation(BaseTransform):
    """Seed ``numpy.random`` and ``random``, from which mmseg's augmentations draw.

    Stands first in the training pipeline and needs a sampler of this module. torch's generator is
    left alone: without workers it is also the one that dropout draws from.

    Raises:
        TypeError: The index does not come from such a sampler.
    """

    def transform(self, results: dict) -> dict:
        index = results['sample_idx']
        if not isinstance(index, ReplayIndex):
            raise TypeError(
                f'SeedAugmentation got the plain index {index}, expected a ReplayIndex: write '
                "train_dataloader.sampler.type='ReplayEpochSampler' (EpochBasedTrainLoop) or "
                "'ReplayInfiniteSampler' (IterBasedTrainLoop) in the config."
            )
        state = np.random.SeedSequence(index.place).generate_state(4)
        np.random.seed(state)
        random.seed(state.tobytes())
        return results
