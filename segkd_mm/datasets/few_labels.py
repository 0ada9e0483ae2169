"""Samplers for data with few labels: a fixed number of labelled images in each batch."""

from collections.abc import Iterator, Sequence
from itertools import count
from typing import Any

import numpy as np
from mmseg.registry import DATA_SAMPLERS

from segkd_mm.datasets.replay import ReplayEpochSampler, ReplayIndex, ReplayInfiniteSampler


class Passes:
    """Endless passes over indices, each pass in an order of its own, by position.

    Args:
        indices: What is drawn, each once in a pass.
        seed: Of the orders; None keeps that of ``indices``.
    """

    def __init__(self, indices: Sequence[int], seed: tuple[int, int] | None) -> None:
        self._indices, self._seed = np.array(indices), seed
        self._pass, self._order = None, self._indices

    def __getitem__(self, position: int) -> int:
        number, place = divmod(position, len(self._indices))
        if self._seed is not None and number != self._pass:
            self._pass = number
            self._order = np.random.default_rng([*self._seed, number]).permutation(self._indices)
        return int(self._order[place])


class LabelledPerBatch:
    """Mixin of a replay sampler: each batch of each process has as many labelled images.

    Labelled images are those whose data set gives a ``seg_map_path``. They and the others are drawn
    in passes, each in an order of its own, so that within either kind all images come equally
    often. A batch begins with its labelled images.

    Args:
        dataset: The training data, also with wrappers.
        batch_size: That of the data loader, for one process.
        labelled_per_batch: Labelled images in a batch, 1 to ``batch_size``.
        **kwargs: Of mmengine's sampler.

    Raises:
        ValueError: ``labelled_per_batch`` is outside its range; or a kind of which a batch has
            some is not in the data.
    """

    def __init__(self, dataset: Any, batch_size: int, labelled_per_batch: int, **kwargs) -> None:
        super().__init__(dataset, **kwargs)
        labelled, unlabelled = split_by_labels(dataset)
        per_batch = labelled_per_batch, batch_size - labelled_per_batch
        _check(type(self).__name__, per_batch, len(labelled), len(unlabelled))
        self.batch_size, self.labelled_per_batch = batch_size, labelled_per_batch
        seeds = [(self.seed, kind) if self.shuffle else None for kind in range(2)]
        self._labelled, self._unlabelled = map(Passes, (labelled, unlabelled), seeds)

    def draw(self, number: int) -> ReplayIndex:
        """The sample that a process gets as its ``number``-th of the training, from 0."""
        batch, place = divmod(number, self.batch_size)
        if place < self.labelled_per_batch:
            kind, start, size = self._labelled, 0, self.labelled_per_batch
        else:
            kind, start = self._unlabelled, self.labelled_per_batch
            size = self.batch_size - start
        position = batch * size + place - start
        index = kind[position * self.world_size + self.rank]
        return self._placed(index, number * self.world_size + self.rank)


@DATA_SAMPLERS.register_module()
class FewLabelsInfiniteSampler(LabelledPerBatch, ReplayInfiniteSampler):
    """Sampler with ``labelled_per_batch``, for loops that count iterations; yields ReplayIndex.

    See :class:`LabelledPerBatch`.
    """

    def _indices_of_rank(self) -> Iterator[ReplayIndex]:
        return map(self.draw, count())


@DATA_SAMPLERS.register_module()
class FewLabelsEpochSampler(LabelledPerBatch, ReplayEpochSampler):
    """Sampler with ``labelled_per_batch``, for loops that count epochs; yields ReplayIndex.

    An epoch has as many samples as there are images, rounded up to whole batches. So it is as long
    with any ``labelled_per_batch``, but is no single pass over the images: the next epoch goes on
    where it ended. See :class:`LabelledPerBatch`.
    """

    def __init__(self, dataset: Any, batch_size: int, labelled_per_batch: int, **kwargs) -> None:
        super().__init__(dataset, batch_size, labelled_per_batch, **kwargs)
        self.num_samples = -(-self.num_samples // batch_size) * batch_size

    def __iter__(self) -> Iterator[ReplayIndex]:
        first = self.epoch * self.num_samples
        return map(self.draw, range(first + self.start, first + self.num_samples))


def split_by_labels(dataset: Any) -> tuple[list[int], list[int]]:
    """Indices of the samples of a data set with labels, and of those without."""
    kinds: tuple[list[int], list[int]] = [], []
    for index in range(len(dataset)):
        kinds['seg_map_path' not in dataset.get_data_info(index)].append(index)
    return kinds


def _check(sampler: str, per_batch: tuple[int, int], labelled: int, unlabelled: int) -> None:
    if not 1 <= per_batch[0] <= sum(per_batch):
        raise ValueError(
            f'{sampler}: labelled_per_batch is {per_batch[0]}, expected 1 to batch_size, which is '
            f'{sum(per_batch)}.'
        )
    if not labelled:
        raise ValueError(
            f'{sampler}: none of the {unlabelled} training images has labels; check the masks of '
            'the labelled data set.'
        )
    if per_batch[1] and not unlabelled:
        raise ValueError(
            f'{sampler}: all of the {labelled} training images have labels, but labelled_per_batch '
            f'is {per_batch[0]} of {sum(per_batch)}. Add images without labels (docs/few_labels.md)'
            ', or use a ReplayEpochSampler or ReplayInfiniteSampler.'
        )
