"""Data sets that wrap others, and the data sets with files inside of them."""

from collections.abc import Iterator
from typing import Any

from mmengine.dataset import BaseDataset


def walk(dataset: Any) -> Iterator[Any]:
    """A data set and all that it wraps, the outer ones first."""
    yield dataset
    inner = [dataset.dataset] if hasattr(dataset, 'dataset') else getattr(dataset, 'datasets', [])
    for part in inner:
        yield from walk(part)


def base_datasets(dataset: Any) -> Iterator[BaseDataset]:
    """The data sets with files that a data set is made of, each sample of which is one of theirs.

    Raises:
        TypeError: A wrapper joins samples, as a mosaic does, or is not known.
    """
    for part in walk(dataset):
        if isinstance(part, BaseDataset):
            yield part
        elif hasattr(part, 'pipeline') or not {'dataset', 'datasets'} & set(dir(part)):
            raise TypeError(
                f'{type(part).__name__} is not known as a data set whose samples each lie in one '
                "image, so that a teacher's logits cannot follow them."
            )


def base_configs(dataset: dict) -> Iterator[dict]:
    """As :func:`base_datasets`, of the config of a data set."""
    inner = [dataset[key] for key in ('dataset', 'labelled') if key in dataset]
    inner += dataset.get('datasets', [])
    for part in inner:
        yield from base_configs(part)
    if not inner:
        yield dataset
