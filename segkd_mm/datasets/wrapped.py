"""Traversal of data sets that wrap other data sets."""

from collections.abc import Iterator
from typing import Any

from mmengine.dataset import BaseDataset


def iterate_wrapped(dataset: Any) -> Iterator[Any]:
    """Iterate over a data set and all data sets that it wraps, the outer ones first."""
    yield dataset
    inner = [dataset.dataset] if hasattr(dataset, 'dataset') else getattr(dataset, 'datasets', [])
    for part in inner:
        yield from iterate_wrapped(part)


def base_datasets(dataset: Any) -> Iterator[BaseDataset]:
    """Iterate over the unwrapped data sets of files whose samples a data set consists of.

    Raises:
        TypeError: A wrapper combines samples, such as a mosaic, or is unknown.
    """
    for part in iterate_wrapped(dataset):
        if isinstance(part, BaseDataset):
            yield part
        elif hasattr(part, 'pipeline') or not {'dataset', 'datasets'} & set(dir(part)):
            raise TypeError(
                f'{type(part).__name__} is not known as a data set whose samples come from one '
                "image each, so that a teacher's logits cannot be matched to them; expected a "
                'BaseDataset, RepeatDataset or ConcatDataset.'
            )
