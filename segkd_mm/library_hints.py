"""Messages for errors in which the libraries name nothing: no connection, and an empty data set."""

from collections.abc import Iterator
from traceback import walk_tb
from typing import Any

from mmengine.dataset import BaseDataset

ADDRESSES = 'filename', 'url'  # arguments of mmengine's and torch's functions of downloads


def explained_download(error: OSError) -> str | None:
    """What could not be fetched, of an error in a download of mmengine's or torch's."""
    values = (named.get(key) for named in _locals(error) for key in ADDRESSES)
    found = [value for value in values if isinstance(value, str) and '://' in value]
    if not found:
        return None
    fetched = f' ({found[-1]})' if found[-1] != found[0] else ''
    return (
        f'Could not fetch {found[0]}{fetched}: {error}. Get the file in another way and give its '
        'local path in place of this address, or leave the weights out (init_cfg=None).'
    )


def explained_empty(error: ValueError) -> str | None:
    """Which data set found no files, of an error in mmengine's ``BaseDataset``."""
    dataset = [*_locals(error)][-1].get('self')
    if not isinstance(dataset, BaseDataset) or len(dataset.data_list):
        return None
    where = dataset.ann_file or dataset.data_prefix.get('img_path')
    ending = f' that end in {dataset.img_suffix}' if hasattr(dataset, 'img_suffix') else ''
    return (
        f'{type(dataset).__name__} found no images{ending} in {where}. Check the paths, the split '
        'and img_suffix in the config of the data set.'
    )


def _locals(error: Exception) -> Iterator[dict[str, Any]]:
    return (frame.f_locals for frame, _ in walk_tb(error.__traceback__))
